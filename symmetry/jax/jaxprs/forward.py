"""The equations that compute the losses of a step, evaluated with some operands replaced.

Example: the loss ``((x @ w - y) ** 2).sum()``, a parameter ``w`` and a batch ``(x, y)``.

    0   a = dot_general x w     trained: it depends on a parameter
    1   b = sub a y             trained
    2   c = integer_pow b
    3   d = reduce_sum c        the loss

``values([d], inputs, {(1, 1): other})`` is the loss with another array as operand 1 of equation 1.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache, partial
from typing import Any

from jax.extend.core import ClosedJaxpr, Literal

from symmetry.jax.executables import quickly
from symmetry.jax.jaxprs.graph import Graph, Operand
from symmetry.jax.jaxprs.interpreter import bind
from symmetry.jax.jaxprs.walk import evaluate


class Forward(Graph):
    """The equations that compute the losses of a step.

    Parameters
    ----------
    jaxpr
        What computes them, without calls.
    parameters
        The numbers of the inputs that are trained.
    others
        Those of other leaves that the losses read, as of a target network.

    Attributes
    ----------
    trained
        The variables that depend on what is trained.
    losses
        The variables that are losses.
    """

    def __init__(
        self, jaxpr: ClosedJaxpr, parameters: Collection[int], others: Collection[int] = ()
    ) -> None:
        super().__init__(jaxpr.jaxpr)
        self._jaxpr = jaxpr
        self.losses: Sequence[Any] = jaxpr.jaxpr.outvars
        self.trained = self.follow(self.inputs[number] for number in parameters)
        self._of_models = self.follow(self.inputs[number] for number in {*parameters, *others})
        self._compiled = cache(self._compile)

    def is_trained(self, atom: Any) -> bool:
        """Return whether a value depends on what is trained."""
        return not isinstance(atom, Literal) and atom in self.trained

    def is_of_model(self, atom: Any) -> bool:
        """Return whether a value depends on what is trained, or on another network."""
        return not isinstance(atom, Literal) and atom in self._of_models

    def values(
        self,
        wanted: Sequence[Any],
        inputs: Sequence[Any],
        replaced: Mapping[Operand, Any] | None = None,
    ) -> list[Any]:
        """Return the values of some atoms for these inputs, some operands being replaced."""
        others = replaced or {}
        variables = tuple(atom for atom in wanted if not isinstance(atom, Literal))
        take = self._compiled(variables, tuple(others))
        found = iter(take(self._jaxpr.consts, [*inputs], [*others.values()]))
        return [a.val if isinstance(a, Literal) else next(found) for a in wanted]

    def evaluated(
        self,
        inputs: Sequence[Any],
        replaced: Mapping[Operand, Any],
        see: Callable[[int, Sequence[Any], Sequence[Any]], Sequence[Any] | None] | None = None,
    ) -> Callable[[Any], Any]:
        """Evaluate all equations, and return the function that reads values.

        ``see`` is called with the number, the operands and the results of each equation; it may
        return other results.
        """
        core, consts = self._jaxpr.jaxpr, self._jaxpr.consts
        return evaluate(core, consts, inputs, partial(_performed, replaced, see))

    def _compile(
        self, wanted: tuple[Any, ...], operands: tuple[Operand, ...]
    ) -> Callable[[Sequence[Any], Sequence[Any], Sequence[Any]], Sequence[Any]]:
        needed = self.ancestors(wanted)

        def run(consts: Any, inputs: Any, others: Any) -> list[Any]:
            perform = partial(_performed, dict(zip(operands, others, strict=True)), None)
            read = evaluate(self._jaxpr.jaxpr, consts, inputs, perform, only=needed)
            return [*map(read, wanted)]

        return quickly(run)


def _performed(
    replaced: Mapping[Operand, Any], see: Any, number: int, equation: Any, args: Sequence[Any]
) -> Sequence[Any]:
    given = [replaced.get((number, position), arg) for position, arg in enumerate(args)]
    results = bind(equation, given, equation.params)
    other = None if see is None else see(number, given, results)
    return results if other is None else other
