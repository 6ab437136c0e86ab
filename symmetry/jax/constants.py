"""Constants that no loss of a step depends on: arrays of the user's, and what a step draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from symmetry.jax.jaxprs.interpreter import kind_of
from symmetry.jax.leaves import as_array
from symmetry.jax.stepper import Stepper
from symmetry.units.state import Array


@dataclass
class JaxConstant:
    """An array that only a backward or an update reads. It is a ``Constant``."""

    number: int  # the number of the input; or of the draw, counted down from -1
    entries: Array
    place: str
    random: bool = False
    varies: bool = False
    repeats: bool = False
    name: str | None = None
    backward: bool = False

    @property
    def array(self) -> Array:
        """Its entries."""
        return self.entries

    def __str__(self) -> str:
        kind = "array that each step has anew," if self.varies else "fixed array"
        if self.random and self.repeats:
            kind = "array that each step draws from the same seed,"
        return f"a {kind} of shape {self.array.shape} (read at {self.place})"


def constants_outside_forward(stepper: Stepper, steps: int) -> list[JaxConstant]:
    """Take steps; return their constants with floating-point numbers, or of truth values."""
    seen: dict[int, list[Array]] = {}
    places: dict[int, str] = {}
    for _ in range(steps):
        traced, first = stepper.traced, len(stepper.leaves.values)
        inputs, unread = stepper.inputs(), traced.inputs_outside_forward
        draws = traced.draws_outside_forward
        drawn = stepper.take(tuple(f"draw.{number}" for number in draws)) if draws else {}
        found = {number: inputs[number - first] for number in unread}
        found |= {-1 - number: drawn[f"draw.{number}"] for number in draws}
        places |= {number: str(place) for number, place in unread.items()}
        places |= {-1 - number: traced.draws[number].place for number in draws}
        for number, value in found.items():
            if np.ndim(value) and kind_of(value.dtype) in ("f", "b"):
                seen.setdefault(number, []).append(as_array(value))
        stepper.step()
    return [
        JaxConstant(
            number,
            arrays[0],
            places[number],
            random=number < 0,
            varies=not _equal(arrays),
            repeats=_equal(arrays) and len(arrays) > 1,
        )
        for number, arrays in seen.items()
    ]


def average(stepper: Stepper, constants: Mapping[int, Sequence[int]]) -> None:
    """Make steps see these constants averaged over the given axes, or zero without axes.

    A draw is replaced by its mean.
    """
    drawn = frozenset(-1 - number for number in constants if number < 0)
    stepper.manner = stepper.manner._replace(without=drawn)
    stepper.averaged = {number: axes for number, axes in constants.items() if number >= 0}


def _equal(arrays: Sequence[Array]) -> bool:
    return all(np.array_equal(arrays[0], other, equal_nan=True) for other in arrays[1:])
