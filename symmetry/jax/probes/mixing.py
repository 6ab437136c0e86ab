"""The first operation that mixes samples, among those that a model's outputs are computed by.

All are evaluated in turn for two batches that differ in one sample. A sum over the samples, as in
batch normalisation, is held as it is for the first batch: in evaluation running statistics take its
place.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any

import numpy as np
from jax.extend.core import Literal

from symmetry.jax.jaxprs.forward import Forward
from symmetry.jax.jaxprs.graph import Operand
from symmetry.jax.jaxprs.interpreter import is_key
from symmetry.jax.jaxprs.places import place_of
from symmetry.jax.probes.provenance import SHAPES, source
from symmetry.training.trial import Mixer
from symmetry.units.samples import axes_of, unequal

_REDUCTIONS = ("reduce_sum", "reduce_max", "reduce_min", "reduce_prod", "reduce_and", "reduce_or")
_PRODUCTS = ("dot_general", "conv_general_dilated")
_MOVES = {"transpose", "slice", "dynamic_slice", "concatenate", "rev", *SHAPES}
_SELECTS = ("gather", "scatter", "scatter-add", "sort", "top_k", "cumsum", "cummax")


class Mixing:
    """Looks for what first makes the outputs of a sample depend on another one.

    Parameters
    ----------
    forward
        The equations.
    needed
        The numbers of the equations that are looked at: those that the model's outputs depend on.
    count, sample
        How many samples there are, and which one differs.
    """

    def __init__(self, forward: Forward, needed: Container[int], count: int, sample: int) -> None:
        self._forward, self._needed = forward, needed
        self._count, self._sample = count, sample
        self._mixer: Mixer | None = None
        self._view: Mixer | None = None

    def first(
        self, plain: Callable[[Any], Any], inputs: Sequence[Any], held: Mapping[Operand, Any]
    ) -> Mixer | None:
        """Return what mixes first; None if nothing does.

        ``plain`` are the values of all variables for the first batch, ``inputs`` are the others;
        ``held`` are operands that stay as they are.
        """

        def see(number: int, args: Sequence[Any], results: Sequence[Any]) -> list[Any] | None:
            if self._mixer is not None or number not in self._needed:
                return None
            return self._seen(number, args, results, plain)

        self._forward.evaluated(inputs, held, see)
        return self._mixer

    def _seen(
        self, number: int, args: Sequence[Any], results: Sequence[Any], plain: Callable[[Any], Any]
    ) -> list[Any] | None:
        """Look at one equation; return what is held of its results, if anything is."""
        equation = self._forward.equations[number]
        held = [*results]
        for k, variable in enumerate(equation.outvars):
            differs = self._differs(plain(variable), results[k])
            if differs is None or axes_of(differs, self._count, self._sample):
                continue
            given = [self._axes(equation.invars[n], args[n], plain) for n in range(len(args))]
            if self._carries(equation, given):
                continue
            if equation.primitive.name in _REDUCTIONS and not self._is_softmax(equation):
                held[k] = plain(variable)
                continue
            mixer = self._mixer_of(equation, given)
            if mixer.kind == "view":
                self._view = self._view or mixer
            else:
                apart = all(axes != [] for axes in given)
                self._mixer = mixer if apart or self._view is None else self._view
                return None
        return held

    def _differs(self, a: Any, b: Any) -> Any:
        """Return where two values differ; None if they do not."""
        if is_key(a.dtype) or np.shape(a) != np.shape(b):
            return None
        found = unequal(np.asarray(a), np.asarray(b))
        return found if found.any() else None

    def _axes(self, atom: Any, value: Any, plain: Callable[[Any], Any]) -> list[int] | None:
        """Return the axes that the samples of an operand lie in; None if it does not differ."""
        if isinstance(atom, Literal):
            return None
        differs = self._differs(plain(atom), value)
        return None if differs is None else axes_of(differs, self._count, self._sample)

    def _carries(self, equation: Any, given: Sequence[list[int] | None]) -> bool:
        """Return whether it does entry by entry, or moves, what several samples lie in."""
        shape = equation.outvars[0].aval.shape
        return any(
            axes == [] and (equation.primitive.name in _MOVES or atom.aval.shape == shape)
            for axes, atom in zip(given, equation.invars, strict=True)
        )

    def _is_softmax(self, equation: Any) -> bool:
        """Return whether it is the sum of a softmax."""
        made = self._forward.maker(source(self._forward, equation.invars[0], SHAPES))
        exponential = made is not None and made.primitive.name == "exp"
        return exponential and equation.primitive.name == "reduce_sum"

    def _mixer_of(self, equation: Any, given: Sequence[list[int] | None]) -> Mixer:
        name, place = equation.primitive.name, place_of(equation)
        sides = [n for n, axes in enumerate(given) if axes]
        shape = tuple(equation.invars[sides[0] if sides else 0].aval.shape)
        axis = (given[sides[0]] or [0])[0] if sides else 0
        constant = name in _PRODUCTS and len(sides) == 1
        by_position = constant or name in _SELECTS
        kind = "other"
        if name == "reshape":
            kind, shape = "view", tuple(equation.outvars[0].aval.shape)
        elif name in _REDUCTIONS:
            kind, name = "softmax", "a softmax"
        elif constant and self._is_parameter(equation.invars[1 - sides[0]]):
            kind = "product"
        return Mixer(kind, name, shape, axis, axis, by_position, place)  # type: ignore[arg-type]

    def _is_parameter(self, atom: Any) -> bool:
        """Return whether an operand is a parameter itself."""
        plain = source(self._forward, atom, {*SHAPES, "transpose"})
        return self._forward.is_trained(plain) and self._forward.maker(plain) is None
