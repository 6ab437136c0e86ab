"""Two units whose exchange does more than exchange them, although equal units stay equal."""

from bisect import bisect_left
from functools import cache

import numpy as np

from symmetry.base.randomness.random import Random
from symmetry.explanation.search.inequality import apart
from symmetry.explanation.search.location import tolerance_of
from symmetry.explanation.starts import nudged, with_different
from symmetry.explanation.watched import WatchedStart
from symmetry.units.units import Order, Units


def unfair_exchange(
    watched: WatchedStart, units: Units, steps: int
) -> tuple[WatchedStart, int, int, str] | None:
    """Return two of the units whose exchange does more than exchange them, if it finds some.

    A step that takes a norm over some of the units and divides all of them by it keeps equal units
    equal, and is unfair all the same. Before the units comes the target at the start where this is
    so, behind them the array of the state that shows it. They are found by halving a random order:
    a cycle of its first units is fair, and one of as many and the next is not.
    """
    random = Random(0, 9).permutation(units.count)
    start = with_different(watched.state, units, range(units.count), watched.scale, 0)
    last, near = watched.last(start, steps), watched.last(nudged(start, 0), steps)
    limits = {
        name: tolerance_of(last[name], near[name], watched.limit * apart(last[name], near[name]))
        for name in start  # an optimiser makes more, in which the units are not known
        if name in last
    }

    def cycle(some: int) -> Order:
        order = np.arange(units.count)
        order[random[:some]] = np.roll(random[:some], -1)
        return order

    @cache
    def moved(some: int) -> str | None:
        """Return the array of the end that a cycle does more to than to rearrange its units."""
        end = watched.last(units.rearranged(start, cycle(some)), steps)
        expected = units.rearranged(last, cycle(some))
        beyond = (n for n, limit in limits.items() if apart(end[n], expected[n]) > limit)
        return next(beyond, None)

    if moved(units.count) is None:
        return None
    unfair = bisect_left(range(units.count), True, 2, key=lambda some: moved(some) is not None)
    there = watched.at(units.rearranged(start, cycle(unfair - 1)))
    a, b = map(int, random[unfair - 2 : unfair])
    return there, a, b, moved(unfair) or ""
