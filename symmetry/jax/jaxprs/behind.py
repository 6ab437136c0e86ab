"""The parameters behind the next value of a leaf: those whose gradients it is computed from.

Example: two networks, each with an optimiser of its own.

    g = gradient of a           m = 0.9 m + g           a = a - m           m: behind it is a
    h = gradient of b, at a     n = 0.9 n + h           b = b - n           n: behind it is b

h depends on the new a, and so on g; a gradient ends the way back. So does a number, as a norm of
all gradients, that others of another shape are scaled by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from symmetry.jax.jaxprs.step import StepManner, TracedStep
from symmetry.jax.jaxprs.walk import Walk

_Parameters = frozenset[int]


def parameters_behind(step: TracedStep) -> Mapping[int, frozenset[int]]:
    """Return the parameters behind the next value of each leaf, by numbers."""
    flat = step.flat(StepManner())
    gradients = {id(flat.variables[name]): leaf for name, leaf in step.gradients.items()}
    nothing = [frozenset[int]()] * len(flat.jaxpr.in_avals)
    after = zip(flat.outputs, _BehindWalk(gradients).run(flat.jaxpr, *nothing), strict=True)
    return {int(n.removeprefix("leaf.")): found for n, found in after if n.startswith("leaf.")}


class _BehindWalk(Walk[_Parameters]):
    """Adds up the parameters behind values; ``gradients`` are variables, by their ids."""

    def __init__(self, gradients: Mapping[int, int]) -> None:
        super().__init__()
        self._gradients = gradients

    def constant(self, value: Any, variable: Any) -> _Parameters:  # noqa: ARG002
        """Return that no parameter is behind a constant."""
        return frozenset()

    def operation(self, equation: Any, args: Sequence[_Parameters]) -> Sequence[_Parameters]:
        """Return the parameters behind the operands; behind a gradient there is its own alone.

        Operands of the shape of the result are followed if there are any.
        """
        every = [_behind(variable.aval.shape, equation, args) for variable in equation.outvars]
        own = [self._gradients.get(id(variable)) for variable in equation.outvars]
        pairs = zip(own, every, strict=True)
        return [found if leaf is None else frozenset([leaf]) for leaf, found in pairs]


def _behind(shape: tuple[int, ...], equation: Any, args: Sequence[_Parameters]) -> _Parameters:
    pairs = [*zip((atom.aval.shape for atom in equation.invars), args, strict=True)]
    alike = [own for given, own in pairs if given == shape]
    return frozenset[int]().union(*(alike or [own for given, own in pairs if given]))
