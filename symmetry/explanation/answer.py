"""From a start to the operation that splits its equal units.

First the target is run as ever, to learn whether and when its units split. Then the run is watched,
again and again up to that step: see ``symmetry.explanation.search``.
"""

import sys
from bisect import bisect_left
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from symmetry.base.random import Random
from symmetry.explanation.exchange import Inequality, apart
from symmetry.explanation.explained import Difference, Explained
from symmetry.explanation.location import tolerance_of
from symmetry.explanation.operation import at, capture
from symmetry.explanation.search import ExchangedRuns, WatchedRun, chosen, scaled_rows, watch
from symmetry.explanation.starts import nudged, with_different
from symmetry.explanation.watched import WatchedStart
from symmetry.units.follow import Follower
from symmetry.units.state import State, finite
from symmetry.units.units import Order, Units, first_of_group
from symmetry.units.words import groups_in_words

_MOST = 3  # culprits that one odd unit has
_MENDED = 4  # times that earlier inequalities are mended to see whether later ones stay
_SEEDS = 2
_GROUPS = 3  # groups of units that are looked at
_ODD = 3  # odd units of one group of units
_LATER = 2  # steps after one that splits units by rounding only
_FARTHER = 1000  # times what that step has set them apart

STAYS_SYMMETRIC = "with this result made equal, the run stays symmetric"
STILL_SPLITS = "with this result made equal, the run splits all the same: there is another cause"
NOT_THE_CAUSE = "first that differs; not shown to be the cause"
ROUNDING = "a difference of the size of rounding"


@dataclass(frozen=True)
class _Split:
    """The first split of a group of clones, the state before that step, and how far they are."""

    units: Units
    step: int
    array: str
    difference: Difference
    before: State
    apart: float  # of the largest entry of their array


def explain_splits(watched: WatchedStart, steps: int, *, first: str = "") -> Explained:
    """Find the operation that splits equal units of a target in so many steps, if one does.

    The group of units that is named ``first`` is looked at before all others.
    """
    splits, compared = _splits(watched, steps)
    splits.sort(key=lambda split: (split.units.name != first, -split.apart))
    found: list[Explained] = []
    for split in splits[:_GROUPS]:
        found.append(_explain_split(watched, split, compared))
        if found[-1].outcome == "rounding" and watched.forgets:
            found[-1] = _explain_later(watched, split, steps, found[-1])
        if found[-1].outcome == "explained":
            return found[-1]
    return found[0] if found else Explained(watched.name, "nothing split", compared)


def explain_exchange(watched: WatchedStart, steps: int, *, first: str = "") -> Explained | None:
    """Find the operation that does more than exchange two units, if none of a target split."""
    for units in sorted(watched.groups, key=lambda group: group.name != first):
        unfair = _unfair_exchange(watched, units, steps)
        if unfair is not None:
            there, a, b, array = unfair
            run = watch(there, units, steps)
            runs = ExchangedRuns(run, a, b, a, 0)
            runs.compare()
            return _concluded(_unexplained(run, steps, steps, array), runs, runs.judge()[0])
    return None


def _unfair_exchange(
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


def _explain_split(watched: WatchedStart, split: _Split, compared: int) -> Explained:
    run = None
    if watched.forgets and split.step > 1:
        run = watch(watched.at(split.before), split.units, 1, split.step - 1)
    if run is None or not run.groups:  # the step splits them only after the others
        run = watch(watched, split.units, split.step)
    explanation = _unexplained(run, compared, split.step, split.array, split.difference)
    if run.groups:
        return _concluded(explanation, *_followed(run))
    dynamo = sys.modules.get("torch._dynamo.utils")  # torch.compile compiles no watched run
    compiled = dynamo is not None and dynamo.counters["frames"]["ok"] > 0
    return replace(explanation, outcome="compiled only") if compiled or run.jax else explanation


def _unexplained(
    run: WatchedRun, compared: int, step: int, array: str, difference: Difference | None = None
) -> Explained:
    """Say what is known before the watched run is looked at."""
    jax = ("JAX's operations were evaluated one by one, not compiled",) if run.jax else ()
    return Explained(
        target=run.watched.name,
        outcome="not while observed",
        steps=compared,
        step=step,
        units=run.units.name,
        array=array,
        difference=difference,
        observed=len(run.events),
        remarks=(*run.watched.remarks, *jax),
    )


def _explain_later(
    watched: WatchedStart, split: _Split, steps: int, rounding: Explained
) -> Explained:
    """Make units equal again that rounding has split, and look for a jump in the steps to come."""
    order = first_of_group(split.units.groups(watched.state), split.units.count)
    state: State = split.before
    for step in range(split.step, min(split.step + _LATER, steps) + 1):
        before = split.units.rearranged(state, order)
        there = watched.at(before)
        state = there.last(before, 1)
        for later in _splits(there, 1)[0] if step > split.step else ():
            if later.apart > _FARTHER * split.apart and finite(state, watched.state):
                found = _explain_split(watched, replace(later, step=step, before=before), steps)
                if found.outcome == "explained":
                    size = f"{ROUNDING}: {NOT_THE_CAUSE}"
                    first = rounding.culprits[0]
                    assert first.difference is not None  # it was watched
                    first = replace(first, difference=replace(first.difference, size=size))
                    return replace(found, culprits=(*found.culprits, first))
    return rounding


def _splits(watched: WatchedStart, steps: int) -> tuple[list[_Split], int]:
    """Run unobserved; return the first split of each group, and how many steps were compared.

    The run ends after a step in which all groups have split. The first step with a number that is
    not finite is the last one compared.
    """
    start = watched.state
    followers = [(units, Follower(units, start)) for units in watched.groups]
    splits, before, step = list[_Split](), start, 0
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
                splits.append(_Split(units, step, split.array, difference, before, apart))
        if not finite(state, start) or all(follower.split is not None for _, follower in followers):
            break
        before = state
    return splits, step


def _followed(run: WatchedRun) -> tuple[ExchangedRuns, list[Inequality]]:
    """Follow an odd unit, and others while none jumps; return the first that jumps, or differs."""
    a, c, odd = chosen(run.groups)
    tried: list[tuple[ExchangedRuns, list[Inequality]]] = []
    for b in odd[:_ODD]:
        for seed in range(_SEEDS):
            runs = ExchangedRuns(run, a, b, c, seed)
            runs.compare()
            found, _ = runs.judge()
            if found or runs.other_way is not None:
                break
        if any(inequality.jumps for inequality in found):
            return runs, found
        tried.append((runs, found))
    return min(tried, key=lambda way: way[1][0].event if way[1] else sys.maxsize)


def _concluded(explanation: Explained, runs: ExchangedRuns, found: list[Inequality]) -> Explained:
    """Choose among the inequalities, and describe those chosen."""
    remarks, other_way = list(explanation.remarks), runs.other_way
    if other_way is not None and (not found or runs.leaves < runs.own[found[0].event]):
        remarks.append(f"cannot tell: the run takes another way at {at(other_way)}")
        return replace(explanation, outcome="another way", remarks=tuple(remarks))
    if not found:
        return replace(explanation, outcome="not reached")
    if not runs.run.groups:
        culprit = capture(runs, next(filter(runs.matters, found), found[0])).culprit()
        return replace(explanation, outcome="explained", step=culprit.step, culprits=(culprit,))
    if runs.control.a == runs.control.b:
        remarks.append("there is no second usual unit, so there was no control run")
    causes, left = _causes(runs, found, jumping=True)
    if not causes:
        causes, left = _causes(runs, found, jumping=False)
    operations = [capture(runs, cause) for cause in causes]
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
        culprits.append(capture(runs, first).culprit(f"{ROUNDING}: {NOT_THE_CAUSE}"))
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
        found, split = runs.judge(mended)
        left = "" if found else STILL_SPLITS if split else STAYS_SYMMETRIC
    return causes, left
