"""Digests of a run behind its first updates: two runs of one script are compared by them.

    update 1    {"the loss": ("9f3c...",), "0.weight": ("51ab...",), "0.bias": ("c07d...",)}
    update 2    ...

An array of one name may be there several times, as in two models: its digests are sorted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

FEW = 3  # updates: a mistake on odd ones shows, and momentum and schedules have begun

Digests = Mapping[str, tuple[str, ...]]  # by the names of arrays


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
            if name in theirs and theirs[name] != digests:
                return number, name
    return None
