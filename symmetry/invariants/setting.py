"""A setting: one start, and how a target is run from it. The law is written over settings."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np

from symmetry.data.random import Random
from symmetry.units.state import Array, State, finite
from symmetry.units.units import Units

S = TypeVar("S")
Target = Any  # whatever the setting can run: only the setting itself looks at it


class Setting(Protocol):
    """One start of one kind of target. Nobody writes into its arrays."""

    @property
    def start(self) -> State:
        """Every array that a rearrangement can reach: the state, and data that is given."""
        ...

    @property
    def units(self) -> tuple[Units, ...]:
        """The groups of units that a sound step treats equally."""
        ...

    @property
    def seed(self) -> int:
        """Feeds the random choices of an invariant: a rearrangement, perturbations."""
        ...

    @property
    def judged(self) -> int:
        """The number of steps after which a rearranged run is compared."""
        ...

    @property
    def affordable(self) -> int:
        """The number of steps beyond which nothing more is worth following."""
        ...

    @property
    def limit(self) -> float:
        """How many times its response a step may deviate by rounding alone."""
        ...

    def run(self, target: Target, steps: int | None = None) -> Iterator[State]:
        """Yield the state after each step of a fresh run: the arrays that a step changes.

        The first state with a number that is not finite is the last one. ``steps`` is by default
        the setting's own number.
        """
        ...

    def at(self, start: State) -> Self:
        """Return the same setting with arrays of the start replaced."""
        ...

    def nearby(self, random: Random) -> Iterator[Nearby[Self]]:
        """Yield settings about one ulp away."""
        ...

    def others(self) -> Iterator[Setting]:
        """Yield other runs to make between two runs that should be the same."""
        ...


@dataclass(frozen=True)
class Nearby(Generic[S]):
    """A setting about one ulp away from another.

    Attributes
    ----------
    setting
        The perturbed setting.
    shift
        What the perturbation itself adds to arrays of the result; it does not count as a change.
    """

    setting: S
    shift: Mapping[str, Array] = field(default_factory=dict)

    def changes(self, result: State, nearby_result: State) -> dict[str, float]:
        """Return the largest change of each array, the shift apart; NaN if not all is finite."""
        if not finite(nearby_result):
            return dict.fromkeys(result, math.nan)
        return {
            name: largest_change(
                array, np.subtract(nearby_result[name], self.shift.get(name, 0), dtype=np.float64)
            )
            for name, array in result.items()
        }


def largest_change(a: Array, b: Array) -> float:
    """Return the largest absolute difference of two arrays; finite ones do not overflow it."""
    with np.errstate(all="ignore"):
        return float(abs(np.subtract(a, b, dtype=np.float64)).max(initial=0.0))
