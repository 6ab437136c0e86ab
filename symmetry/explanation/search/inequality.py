"""Inequalities: arrays that hold other numbers for two units that are equal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from symmetry.explanation.search.location import Location, largest
from symmetry.units.compare import equal
from symmetry.units.state import Array

Key = tuple[int, int]  # the number of an event, the position of an array in it


@dataclass
class UnitEntries:
    """The entries of an array for one unit."""

    # The place in the array; without an index it is the whole array.
    index: int | None
    axis: int
    # The entries in the run in which the two units differ, and in the one with them exchanged.
    s: Array
    t: Array
    tolerance: float  # how far rounding may move an entry
    name: str | None  # the operation's name, if the array holds this unit alone
    r: Array | None = None  # the entries in the run in which all units begin equal

    def of(self, array: Array) -> Array:
        """Return what another array holds there."""
        return array.copy() if self.index is None else array.take(self.index, self.axis)


@dataclass(frozen=True)
class Inequality:
    """An array in which the two units differ, although they begin equal."""

    # *differs*: both are there, with other bits; or, if the units begin different, their exchange
    # does more to the array than exchange their entries. *alone*: the other one has no such
    # operation.
    kind: Literal["differs", "alone"]
    key: Key  # which array it is, in the run with different units
    location: Location  # where they are in it
    deviation: float = 0.0  # the largest difference of the two
    rounding: float = 0.0  # the largest difference that rounding alone explains

    @property
    def event(self) -> int:
        """The number of the event, in the run with different units."""
        return self.key[0]

    @property
    def jumps(self) -> bool:
        """Whether the two are further apart than rounding brings them."""
        return self.kind == "alone" or self.deviation > self.rounding


def apart(one: Array, other: Array) -> float:
    """Return the largest difference; an infinite one if not both are finite."""
    if one.dtype.kind not in "fc":
        return float("inf")
    with np.errstate(all="ignore"):
        far = abs(one.astype(np.result_type(one, np.float64)) - other)
    far = np.where(equal(one, other), 0, far)
    return float(np.nan_to_num(far, nan=np.inf, posinf=np.inf).max(initial=0))


def roundings(dtype: np.dtype[Any], *arrays: Array) -> float:
    """Return 32 roundings of the largest entry of some arrays; 0 if the dtype has none."""
    if dtype.kind != "f":
        return 0.0
    return 32 * max(map(largest, arrays), default=0.0) * float(np.finfo(dtype).eps)
