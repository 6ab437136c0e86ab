"""The outputs of a step's model, with one sample of the batch replaced by another one.

The first operation that mixes samples is the culprit. All that compute the model's outputs are
evaluated in turn for two batches that differ in one sample. A sum over the samples, as in batch
normalisation, is held as it is for the first batch: in evaluation running statistics take its
place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import numpy as np

from symmetry.jax.jaxprs.graph import Operand
from symmetry.jax.jaxprs.interpreter import is_key
from symmetry.jax.jaxprs.places import place_of
from symmetry.jax.probes.provenance import SHAPES, source
from symmetry.jax.probes.sites import Site, sites
from symmetry.jax.stepper import Stepper
from symmetry.training.mixing import Mixing, Performed, roles_by_name
from symmetry.training.trial import Mixer, SampleCall, Sampling
from symmetry.units.compare import Moved, unequal
from symmetry.units.samples import axes_of, is_alone
from symmetry.units.state import Array

_ROLES = roles_by_name(
    {
        "moves": {"transpose", "slice", "dynamic_slice", "concatenate", "rev", *SHAPES},
        "view": {"reshape"},
        "held": {f"reduce_{by}" for by in ("sum", "max", "min", "prod", "and", "or")},
        "product": {"dot_general", "conv_general_dilated"},
        "selects": {"gather", "scatter", "scatter-add", "sort", "top_k", "cumsum", "cummax"},
    }
)
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
    ) -> Mixer | None:
        forward, mixing = self._forward, Mixing(count, sample)
        plain = forward.evaluated(inputs, {})
        needed = forward.ancestors([site.scores], until={*map(id, self._backward)})

        def see(number: int, args: Sequence[Any], results: Sequence[Any]) -> list[Any] | None:
            if number not in needed:
                return None
            equation = forward.equations[number]
            made = [*map(plain, equation.outvars)]
            own = self._performed(equation, [*map(plain, equation.invars)], made)
            held = mixing.see(own, self._performed(equation, args, results))
            return [made[n] if n in held else result for n, result in enumerate(results)]

        forward.evaluated(others, held, see)
        return mixing.first

    def _performed(
        self, equation: Any, operands: Sequence[Any], results: Sequence[Any]
    ) -> Performed:
        name = equation.primitive.name
        is_softmax = name == "reduce_sum" and self._is_exponential(equation.invars[0])
        return Performed(
            "a softmax" if is_softmax else name,
            "softmax" if is_softmax else _ROLES.get(name, "other"),
            [*map(_array, operands)],
            [*map(_array, results)],
            place_of(equation),
            has_parameter=any(map(self._is_parameter, equation.invars)),
        )

    def _is_exponential(self, atom: Any) -> bool:
        made = self._forward.maker(source(self._forward, atom, SHAPES))
        return made is not None and made.primitive.name == "exp"

    def _is_parameter(self, atom: Any) -> bool:
        """Return whether an operand is a parameter itself."""
        plain = source(self._forward, atom, {*SHAPES, "transpose"})
        return self._forward.is_trained(plain) and self._forward.maker(plain) is None

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


def _array(value: Any) -> Array | None:
    """Return a value as an array; None for a key of random numbers."""
    return None if isinstance(value, jax.Array) and is_key(value.dtype) else np.asarray(value)
