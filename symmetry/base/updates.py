"""Digests of a run behind its first updates: two runs of one script are compared by them.

    update 1    {"the loss": ("9f3c...",), "0.weight": ("51ab...",), "0.bias": ("c07d...",)}
    update 2    ...

An array of one name may be there several times, as in two models: its digests are sorted. A digest
may also be a size, where a compiler may fuse operations otherwise: ``"~0.25 0.0"`` is close to
``"~0.2501 0.0"``. Behind the bits and the dtype of an array stand sums of its entries with random
weights: two arrays that differ by rounding have sums that are close.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from symmetry.base.errors import Failure

FEW = 3  # updates: a mistake on odd ones shows, and momentum and schedules have begun

_SIZE = "~"  # begins a size
# Relative and absolute differences of sizes that rounding in a step explains.
_CLOSE, _LEAST = 0.01, 1e-5
# An array that is smaller than this part of the largest one beside it may be rounding alone: Adam
# moves a bias in front of a normalisation by its rate, though its gradient is zero but for that.
_SMALL = 0.01

# Runs may differ by that many times the distance of a plain run and of a moved one: it is the limit
# of the judge of trainings in float32.
_ROUNDINGS = 30.0
_EPS = {"float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}  # else it is float64

Digests = Mapping[str, tuple[str, ...]]  # by the names of arrays


@dataclass(frozen=True)
class PlainRun:
    """A run of a training as its user runs it: nothing is shortened, promoted or observed."""

    failure: Failure | None = None
    is_whole: bool = True  # whether it ended by itself
    updates: tuple[Digests, ...] = ()  # what it held behind its first updates
    killed: str = ""  # how its process ended, if that was before the script did
    why_none: str = ""  # why another failure of it is no fault of the training


@dataclass
class UpdateLog:
    """The digests of a run, update by update, until they are enough."""

    most: int = FEW
    full: Callable[[], None] = lambda: None  # called once there are enough
    ended: Callable[[], bool] = lambda: False  # whether the run is no more as it is written
    paused: Callable[[], bool] = lambda: False  # whether updates are those of a check
    losses: list[str] = field(default_factory=list)  # digests, since the last update
    updates: list[Digests] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        """Whether there are enough."""
        return len(self.updates) >= self.most or self.ended()

    def add(self, digests: Digests) -> None:
        """Add those of the next update."""
        self.updates.append(digests)
        if self.is_full:
            self.full()


def first_difference(one: Sequence[Digests], other: Sequence[Digests]) -> tuple[int, str] | None:
    """Return the first update, from 1, and the array in which two runs differ; None if in none.

    Arrays that only one of them has are left out, and so are updates.
    """
    for number, (mine, theirs) in enumerate(zip(one, other, strict=False), start=1):
        for name, digests in mine.items():
            if name in theirs and not _same(digests, theirs[name]):
                return number, name
    return None


def rounds(one: Sequence[Digests], other: Sequence[Digests], moved: Sequence[Digests]) -> bool:
    """Return whether two runs differ by no more than rounding explains.

    In the ``moved`` run each operation of the first one rounds in another way.
    """
    return len(moved) >= min(len(one), len(other)) and all(
        _near(digest, theirs, by)
        for mine, its, third in zip(one, other, moved, strict=False)
        for name in mine.keys() & its.keys() & third.keys()
        for digest, theirs, by in zip_longest(mine[name], its[name], third[name], fillvalue="")
        if digest != theirs
    )


def sums_of(digest: str) -> list[float]:
    """Return the weighted sums in the digest of an array; none without such."""
    return [float(each) for each in digest.split()[2:]]


def _near(one: str, other: str, moved: str) -> bool:
    if one.split()[1:2] != other.split()[1:2] or one.split()[1:2] != moved.split()[1:2]:
        return False
    sums, theirs, by = map(sums_of, (one, other, moved))
    if not sums:
        return False
    least = _EPS.get(one.split()[1].rpartition(".")[2], 2.0**-52) * max(map(abs, sums))
    response = max(least, *(abs(a - b) for a, b in zip(sums, by, strict=True)))
    return max(abs(a - b) for a, b in zip(sums, theirs, strict=True)) <= _ROUNDINGS * response


def sized(size: float, largest: float = 0.0) -> str:
    """Return the digest of an array by its size, such as a norm, and the largest one beside it."""
    return f"{_SIZE}{size!r} {largest!r}"


def _same(one: Sequence[str], other: Sequence[str]) -> bool:
    return len(one) == len(other) and all(map(_close, one, other))


def _close(one: str, other: str) -> bool:
    if not (one.startswith(_SIZE) and other.startswith(_SIZE)):
        return one == other
    (a, beside), (b, its) = (map(float, each[len(_SIZE) :].split()) for each in (one, other))
    if math.isnan(a) and math.isnan(b):
        return True
    is_small = max(a, b) < _SMALL * min(beside, its)
    return is_small or math.isclose(a, b, rel_tol=_CLOSE, abs_tol=_LEAST)
