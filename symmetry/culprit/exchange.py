"""Two units whose exchange does more than exchange them, where no equal units split.

A step that takes a norm over some of the units and divides all of them by it keeps equal units
equal, and is unfair all the same.
"""

from __future__ import annotations

import copy
from bisect import bisect_left
from functools import cache

import numpy as np

from symmetry.culprit.pair import apart
from symmetry.culprit.plant import nudged, with_different
from symmetry.culprit.spot import tolerance_of
from symmetry.culprit.subject import Subject
from symmetry.data.random import Random
from symmetry.units.units import Order, Units


def unfair_exchange(
    subject: Subject, units: Units, steps: int
) -> tuple[Subject, int, int, str] | None:
    """Return two of the units whose exchange does more than exchange them, if it finds some.

    Before them comes the subject that starts where this is so, behind them the array of the state
    that shows it. They are found by halving a random order of the units: a cycle of the first ones
    is fair, and one of as many and the next is not.
    """
    random = Random(0, 9).permutation(units.count)
    start = with_different(subject.start, units, range(units.count), subject.scale, 0)
    last, near = subject.last(start, steps), subject.last(nudged(start, 0), steps)
    limits = {
        name: tolerance_of(last[name], near[name], subject.limit * apart(last[name], near[name]))
        for name in start  # an optimiser makes more, in which the units are not known
    }

    def cycle(some: int) -> Order:
        order = np.arange(units.count)
        order[random[:some]] = np.roll(random[:some], -1)
        return order

    @cache
    def moved(some: int) -> str | None:
        """Return the array of the end that a cycle does more to than to rearrange its units."""
        end = subject.last(units.rearranged(start, cycle(some)), steps)
        expected = units.rearranged(last, cycle(some))
        beyond = (n for n, limit in limits.items() if apart(end[n], expected[n]) > limit)
        return next(beyond, None)

    if moved(units.count) is None:
        return None
    unfair = bisect_left(range(units.count), True, 2, key=lambda some: moved(some) is not None)
    there = copy.copy(subject)
    there.start = units.rearranged(start, cycle(unfair - 1))
    a, b = map(int, random[unfair - 2 : unfair])
    return there, a, b, moved(unfair) or ""
