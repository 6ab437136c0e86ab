"""The first split of each group of clones, and exchanges that do more than exchange two units."""

from bisect import bisect_left
from dataclasses import dataclass
from functools import cache

import numpy as np

from symmetry.base.randomness.random import Random
from symmetry.explanation.explained import Difference
from symmetry.explanation.search.inequality import apart
from symmetry.explanation.search.location import tolerance_of
from symmetry.explanation.search.runs import scaled_rows
from symmetry.explanation.starts import TapedStart, nudged, with_different
from symmetry.units.follow import Follower
from symmetry.units.state import State, finite
from symmetry.units.units import Order, Units, first_of_group
from symmetry.units.words import groups_in_words


@dataclass(frozen=True)
class FirstSplit:
    """The first split of a group of clones, the state before that step, and how far they are."""

    units: Units
    step: int
    array: str
    difference: Difference
    before: State
    apart: float  # of the largest entry of their array


def find_splits(taped: TapedStart, steps: int) -> tuple[list[FirstSplit], int]:
    """Run unobserved; return the first split of each group, and how many steps were compared.

    The run ends after a step in which all groups have split. The first step with a number that is
    not finite is the last one compared.
    """
    start = taped.state
    followers = [(units, Follower(units, start)) for units in taped.groups]
    splits, before, step = list[FirstSplit](), start, 0
    for step, state in enumerate(taped.states(start, steps), 1):
        for units, follower in followers:
            follower.see(step, state)
            split = follower.split
            if split is not None and split.step == step:
                words = groups_in_words(split.groups)
                difference = Difference(words, split.ulps, split.relative, "")
                rows = scaled_rows(units, state)
                first = first_of_group(units.groups(start), units.count)
                apart = float(np.nanmax(abs(rows - rows[first]), initial=0))
                splits.append(FirstSplit(units, step, split.array, difference, before, apart))
        if not finite(state, start) or all(follower.split is not None for _, follower in followers):
            break
        before = state
    return splits, step


def unfair_exchange(
    taped: TapedStart, units: Units, steps: int
) -> tuple[TapedStart, int, int, str] | None:
    """Return two of the units whose exchange does more than exchange them, if it finds some.

    A step that takes a norm over some of the units and divides all of them by it keeps equal units
    equal, and is unfair all the same. Before the units comes the target at the start where this is
    so, behind them the array of the state that shows it. They are found by halving a random order:
    a cycle of its first units is fair, and one of as many and the next is not.
    """
    random = Random(0, 9).permutation(units.count)
    start = with_different(taped.state, units, range(units.count), taped.scale, 0)
    last, near = taped.last(start, steps), taped.last(nudged(start, 0), steps)
    limits = {
        name: tolerance_of(last[name], near[name], taped.limit * apart(last[name], near[name]))
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
        end = taped.last(units.rearranged(start, cycle(some)), steps)
        expected = units.rearranged(last, cycle(some))
        beyond = (n for n, limit in limits.items() if apart(end[n], expected[n]) > limit)
        return next(beyond, None)

    if moved(units.count) is None:
        return None
    unfair = bisect_left(range(units.count), True, 2, key=lambda some: moved(some) is not None)
    there = taped.at(units.rearranged(start, cycle(unfair - 1)))
    a, b = map(int, random[unfair - 2 : unfair])
    return there, a, b, moved(unfair) or ""
