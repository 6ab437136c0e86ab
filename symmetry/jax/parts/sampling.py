"""The outputs of a step's model, with one sample of the batch replaced by another one.

The first operation that mixes samples is the culprit. All that compute the model's outputs are
evaluated in turn for two batches that differ in one sample. A sum over the samples, as in batch
normalisation, is held as it is for the first batch: in evaluation running statistics take its
place.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import numpy as np
from jax.extend.core import Literal

from symmetry.jax.jaxprs.forward import Forward
from symmetry.jax.jaxprs.graph import Operand
from symmetry.jax.jaxprs.interpreter import is_key
from symmetry.jax.jaxprs.places import place_of
from symmetry.jax.probes.provenance import SHAPES, source
from symmetry.jax.probes.sites import Site, sites
from symmetry.jax.stepper import Stepper
from symmetry.training.trial import Mixer, SampleCall, Sampling
from symmetry.units.samples import Moved, axes_of, is_alone, unequal

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


_LOOPS = ("scan", "while", "cond")
_BACKWARD = "transpose("  # how JAX names the scope of what it differentiates
_IN_A_LOOP = (
    "a loop of JAX, in which no operation is seen, mixes samples, as batch normalisation does, or "
    "it runs along the axis of the samples"
)


@dataclass(frozen=True)
class JaxModuleInputs:
    """The inputs of a step: the leaves of the state, and the batch."""

    inputs: Sequence[Any]


class JaxSampling(Sampling):
    """Tries the model of a run on batches that differ in one sample.

    Its outputs are those that the losses are computed from.
    """

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper
        self._forward = stepper.traced.losses_of(stepper.manner)

    def module_inputs(self) -> JaxModuleInputs:
        """Return the inputs of the next step."""
        return JaxModuleInputs([*self._stepper.leaves.values, *self._stepper.inputs()])

    def with_samples(self, changed: Mapping[int, Any], count: int) -> Sequence[SampleCall]:
        """Compute the outputs of the next step with one sample replaced, for each that is given."""
        with jax.enable_x64(True):
            found, inputs = sites(self._forward), self.module_inputs().inputs
            outputs = [site.scores for site in found]
            others = {
                sample: other.inputs
                for sample, other in changed.items()
                if outputs and self._replaced(inputs, other.inputs, count, sample)
            }
            if not others:
                return []
            held = self._held(inputs)
            plain, *results = (
                self._forward.values(outputs, each, held) for each in (inputs, *others.values())
            )
            moved = {
                sample: [*map(_unequal, plain, each)]
                for sample, each in zip(others, results, strict=True)
            }
            return [
                call
                for sample, each in others.items()
                for call in self._judged(found, moved, (inputs, each, held), count, sample)
            ]

    def _judged(
        self,
        found: Sequence[Site],
        moved: Mapping[int, Sequence[Moved]],
        batches: tuple[Sequence[Any], Sequence[Any], Any],
        count: int,
        sample: int,
    ) -> Iterator[SampleCall]:
        """Yield what one sample changes in the outputs of the losses.

        Another axis may have the same length, so samples are mixed only where an entry depends on
        both.
        """
        for number, site in enumerate(found):
            mine = moved[sample][number]
            at_one = is_alone(mine, count, sample)
            others = (each[number] for other, each in moved.items() if other != sample)
            if at_one or (at_one is False and any((mine & other).any() for other in others)):
                place = place_of(self._forward.equations[site.equation])
                mixer = None if at_one else self._mixer(site, *batches, count, sample)
                if mixer is not None and mixer.operation in _LOOPS:
                    yield SampleCall("its step", place, why_not=_IN_A_LOOP)
                    continue
                # Sums over the samples alone are those of batch normalisation.
                yield SampleCall("its step", place, alone=mixer is None, mixer=mixer, mode="")

    @cached_property
    def _backward(self) -> Sequence[Any]:
        """The results of backwards that a loss depends on: it reads what they have updated."""
        backward = (
            e for e in self._forward.equations if _BACKWARD in str(e.source_info.name_stack)
        )
        return [v for e in backward for v in e.outvars if self._forward.readers(v)]

    def _held(self, inputs: Sequence[Any]) -> Mapping[Operand, Any]:
        """Return operands that stay as they are: by an update any sample has an effect on all."""
        values = self._forward.values(self._backward, inputs)
        pairs = zip(self._backward, values, strict=True)
        return {place: value for v, value in pairs for place in self._forward.readers(v)}

    def _mixer(
        self,
        site: Site,
        inputs: Sequence[Any],
        others: Sequence[Any],
        held: Mapping[Operand, Any],
        count: int,
        sample: int,
    ) -> Any:
        values = self._forward.evaluated(inputs, {})
        needed = self._forward.ancestors([site.scores], until={*map(id, self._backward)})
        return Mixing(self._forward, needed, count, sample).first(values, others, held)

    def _replaced(
        self, inputs: Sequence[Any], others: Sequence[Any], count: int, sample: int
    ) -> bool:
        """Return whether two batches differ in one sample alone, and do."""
        pairs = [
            (np.asarray(a), np.asarray(b))
            for a, b in zip(inputs, others, strict=True)
            if not is_key(a.dtype)
        ]
        moved = [differs for differs in (unequal(a, b) for a, b in pairs) if differs.any()]
        return bool(moved) and all(axes_of(differs, count, sample) for differs in moved)


def _unequal(result: Any, other: Any) -> Moved:
    return unequal(np.asarray(result), np.asarray(other))
