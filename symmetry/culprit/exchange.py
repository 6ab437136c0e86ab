"""Two units whose exchange does more than exchange them, where no equal units split.

A step that takes a norm over some of the units and divides all of them by it keeps equal units
equal, and is unfair all the same.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterator

import numpy as np

from symmetry.culprit.pair import apart
from symmetry.culprit.plant import nudged, with_different
from symmetry.culprit.spot import tolerance_of
from symmetry.culprit.subject import Subject
from symmetry.data.random import Random
from symmetry.units.state import Array, State
from symmetry.units.units import Units


def unfair_exchanges(
    subject: Subject, steps: int, *, first: str = ""
) -> Iterator[tuple[Subject, Units, int, int, str]]:
    """Yield for each group that has some two units whose exchange does more than exchange them.

    With the units and the array of the state that shows it comes the subject that starts where
    this is so. The group that is named ``first`` comes first.
    """
    for units in sorted(subject.units, key=lambda group: group.name != first):
        start = with_different(subject.start, units, range(units.count), subject.scale, 0)
        runs = _Runs(subject, units, start, steps)
        swaps = _swaps(units.count)
        fair, unfair = 0, len(swaps)
        array = runs.moved_by(_order(units.count, swaps))
        if array is None:
            continue
        while unfair - fair > 1:
            middle = (fair + unfair) // 2
            moved = runs.moved_by(_order(units.count, swaps[:middle]))
            fair, unfair = (middle, unfair) if moved is None else (fair, middle)
            array = moved or array
        there = copy.copy(subject)
        there.start = units.rearranged(start, _order(units.count, swaps[:fair]))
        yield there, units, *swaps[fair], array


class _Runs:
    """Runs from one start with its units in several orders."""

    def __init__(self, subject: Subject, units: Units, start: State, steps: int) -> None:
        self._subject, self._units, self._start, self._steps = subject, units, start, steps
        self._last = self._run(start)
        other = self._run(nudged(start, 0))
        self._limits = {
            name: tolerance_of(one, other[name], subject.limit * apart(one, other[name]))
            for name in start  # an optimiser makes more, in which the units are not known
            for one in [self._last[name]]
        }

    def moved_by(self, order: Array) -> str | None:
        """Return the array of the end that an order does more to than to rearrange its units."""
        last = self._run(self._units.rearranged(self._start, order))
        expected = self._units.rearranged(self._last, order)
        limits = self._limits.items()
        moved = (n for n, limit in limits if apart(last[n], expected[n]) > limit)
        return next(moved, None)

    def _run(self, start: State) -> State:
        return deque(self._subject.run(start, self._steps), maxlen=1)[0]


def _swaps(count: int) -> list[tuple[int, int]]:
    """Return exchanges of two places each that come to a random cycle of all units."""
    random = Random(0, 9)
    return [(k, k + 1 + int(random.integers(count - k - 1, (1,))[0])) for k in range(count - 1)]


def _order(count: int, swaps: list[tuple[int, int]]) -> Array:
    order = np.arange(count)
    for pair in swaps:
        order[[*pair]] = order[[*reversed(pair)]]
    return order
