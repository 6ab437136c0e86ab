"""The first split of each group of clones, in a run that is not watched."""

from dataclasses import dataclass

import numpy as np

from symmetry.explanation.explained import Difference
from symmetry.explanation.search.runs import scaled_rows
from symmetry.explanation.watched import WatchedStart
from symmetry.units.follow import Follower
from symmetry.units.state import State, finite
from symmetry.units.units import Units, first_of_group
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


def find_splits(watched: WatchedStart, steps: int) -> tuple[list[FirstSplit], int]:
    """Run unobserved; return the first split of each group, and how many steps were compared.

    The run ends after a step in which all groups have split. The first step with a number that is
    not finite is the last one compared.
    """
    start = watched.state
    followers = [(units, Follower(units, start)) for units in watched.groups]
    splits, before, step = list[FirstSplit](), start, 0
    for step, state in enumerate(watched.states(start, steps), 1):
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
