"""From a start to the operation that splits its equal units.

First the target is run as ever, to learn whether and when its units split. Then the run is taped,
again and again up to that step: see ``symmetry.explanation.search``.
The conclusion describes the inequalities that nothing before them explains.
"""

import sys
from bisect import bisect_left
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from symmetry.base.libraries import imported
from symmetry.base.randomness.random import Random
from symmetry.explanation.explained import Difference, Explained
from symmetry.explanation.operation.captured import capture
from symmetry.explanation.operation.description import Description, at
from symmetry.explanation.search.exchanged_runs import ExchangedRuns
from symmetry.explanation.search.inequality import Inequality, apart
from symmetry.explanation.search.location import tolerance_of
from symmetry.explanation.search.odd_unit import odd_inequalities
from symmetry.explanation.search.runs import TapedRun, scaled_rows, usual_and_odd, watch
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


_MOST = 3  # culprits that one odd unit has
_MENDED = 4  # times that earlier inequalities are mended to see whether later ones stay

STAYS_SYMMETRIC = "with this result made equal, the run stays symmetric"
STILL_SPLITS = "with this result made equal, the run splits all the same: there is another cause"
NOT_THE_CAUSE = "first that differs; not shown to be the cause"
ROUNDING = "a difference of the size of rounding"


def concluded(explanation: Explained, runs: ExchangedRuns, found: list[Inequality]) -> Explained:
    """Choose among the inequalities, and describe those chosen."""
    remarks, other_way = list(explanation.remarks), runs.other_way
    if other_way is not None and (not found or runs.leaves < runs.own[found[0].event]):
        remarks.append(f"cannot tell: the run takes another way at {at(other_way)}")
        return replace(explanation, outcome="another way", remarks=tuple(remarks))
    if not found:
        return replace(explanation, outcome="not reached")
    if not runs.run.groups:
        culprit = _described(runs, next(filter(runs.matters, found), found[0])).culprit()
        return replace(explanation, outcome="explained", step=culprit.step, culprits=(culprit,))
    if runs.control.a == runs.control.b:
        remarks.append("there is no second usual unit, so there was no control run")
    causes, left = _causes(runs, found, jumping=True)
    if not causes:
        causes, left = _causes(runs, found, jumping=False)
    operations = [_described(runs, cause) for cause in causes]
    jumps = [
        operation for operation in operations if operation.inequality.jumps and not operation.rounds
    ]
    culprits = [operation.culprit() for operation in jumps] or [
        operation.culprit(ROUNDING) for operation in operations
    ]
    if left:
        culprits[-1] = replace(culprits[-1], evidence=(*culprits[-1].evidence, left))
    first = next(filter(runs.matters, found), found[0])
    if (
        jumps
        and runs.seen[first.event].call.place != runs.seen[jumps[0].inequality.event].call.place
    ):
        culprits.append(_described(runs, first).culprit(f"{ROUNDING}: {NOT_THE_CAUSE}"))
    explanation = replace(explanation, culprits=tuple(culprits), remarks=tuple(remarks))
    return replace(explanation, outcome="explained" if jumps else "rounding")


def _causes(
    runs: ExchangedRuns, found: list[Inequality], *, jumping: bool
) -> tuple[list[Inequality], str]:
    """Return the inequalities that nothing before them explains, and what is left without them.

    A jump may be what an earlier difference of the size of rounding grew to. So all before it is
    made equal in the run, which then shows whether the jump stays.
    """
    causes: list[Inequality] = []
    mended: list[Inequality] = []
    left = ""
    for _ in range(_MENDED):
        first = next((f for f in found if (f.jumps or not jumping) and runs.matters(f)), None)
        if first is None:
            break
        met = {inequality.event for inequality in mended}
        before = [f for f in found[: found.index(first)] if f.location.both and f.event not in met]
        if not before:
            *others, new = [runs.seen[inequality.event].call for inequality in (*causes, first)]
            if (new.name, new.place) not in [(other.name, other.place) for other in others]:
                causes.append(first)
            if len(causes) == _MOST or not first.location.both or first.event in met:
                return causes, ""
            before = [f for f in found if f.location.both and f.event == first.event]
        mended += before
        found, split = odd_inequalities(runs, mended)
        left = "" if found else STILL_SPLITS if split else STAYS_SYMMETRIC
    return causes, left


def _described(runs: ExchangedRuns, inequality: Inequality) -> Description:
    return Description(capture(runs, inequality))


_SEEDS = 2
_GROUPS = 3  # groups of units that are looked at
_ODD = 3  # odd units of one group of units
_LATER = 2  # steps after one that splits units by rounding only
_FARTHER = 1000  # times what that step has set them apart


def explain_splits(taped: TapedStart, steps: int, *, first: str = "") -> Explained:
    """Find the operation that splits equal units of a target within ``steps`` steps, if one does.

    The group of units that is named ``first`` is looked at before all others.
    """
    splits, compared = find_splits(taped, steps)
    splits.sort(key=lambda split: (split.units.name != first, -split.apart))
    found: list[Explained] = []
    for split in splits[:_GROUPS]:
        found.append(_explain_split(taped, split, compared))
        if found[-1].outcome == "rounding" and taped.forgets:
            found[-1] = _explain_later(taped, split, steps, found[-1])
        if found[-1].outcome == "explained":
            return found[-1]
    return found[0] if found else Explained(taped.name, "nothing split", compared)


def explain_exchange(taped: TapedStart, steps: int, *, first: str = "") -> Explained | None:
    """Find the operation that does more than exchange two units, if none of a target split."""
    for units in sorted(taped.groups, key=lambda group: group.name != first):
        unfair = unfair_exchange(taped, units, steps)
        if unfair is not None:
            there, a, b, array = unfair
            run = watch(there, units, steps)
            runs = ExchangedRuns(run, a, b, a, 0)
            runs.compare()
            return concluded(
                _unexplained(run, steps, steps, array), runs, odd_inequalities(runs)[0]
            )
    return None


def _explain_split(taped: TapedStart, split: FirstSplit, compared: int) -> Explained:
    run = None
    if taped.forgets and split.step > 1:
        run = watch(taped.at(split.before), split.units, 1, split.step - 1)
    if run is None or not run.groups:  # the step splits them only after the others
        run = watch(taped, split.units, split.step)
    explanation = _unexplained(run, compared, split.step, split.array, split.difference)
    if run.groups:
        return concluded(explanation, *_followed(run))
    # Nothing is compiled in a watched run.
    compiled = any(library.has_compiled() for library in imported()) or run.remarks
    return replace(explanation, outcome="compiled only") if compiled else explanation


def _unexplained(
    run: TapedRun, compared: int, step: int, array: str, difference: Difference | None = None
) -> Explained:
    """Say what is known before the watched run is looked at."""
    return Explained(
        target=run.start.name,
        outcome="not while observed",
        steps=compared,
        step=step,
        units=run.units.name,
        array=array,
        difference=difference,
        observed=len(run.events),
        remarks=(*run.start.remarks, *run.remarks),
    )


def _explain_later(
    taped: TapedStart, split: FirstSplit, steps: int, rounding: Explained
) -> Explained:
    """Make units equal again that rounding has split, and look for a jump in the steps to come."""
    order = first_of_group(split.units.groups(taped.state), split.units.count)
    state: State = split.before
    for step in range(split.step, min(split.step + _LATER, steps) + 1):
        before = split.units.rearranged(state, order)
        there = taped.at(before)
        state = there.last(before, 1)
        for later in find_splits(there, 1)[0] if step > split.step else ():
            if later.apart > _FARTHER * split.apart and finite(state, taped.state):
                found = _explain_split(taped, replace(later, step=step, before=before), steps)
                if found.outcome == "explained":
                    size = f"{ROUNDING}: {NOT_THE_CAUSE}"
                    first = rounding.culprits[0]
                    assert first.difference is not None  # it was watched
                    first = replace(first, difference=replace(first.difference, size=size))
                    return replace(found, culprits=(*found.culprits, first))
    return rounding


def _followed(run: TapedRun) -> tuple[ExchangedRuns, list[Inequality]]:
    """Follow an odd unit, and others while none jumps; return the first that jumps, or differs."""
    a, c, odd = usual_and_odd(run.groups)
    tried: list[tuple[ExchangedRuns, list[Inequality]]] = []
    for b in odd[:_ODD]:
        for seed in range(_SEEDS):
            runs = ExchangedRuns(run, a, b, c, seed)
            runs.compare()
            found, _ = odd_inequalities(runs)
            if found or runs.other_way is not None:
                break
        if any(inequality.jumps for inequality in found):
            return runs, found
        tried.append((runs, found))
    return min(tried, key=lambda way: way[1][0].event if way[1] else sys.maxsize)
