"""From a setting to the operation that tells its equal units apart.

First the setting is run as ever, to learn whether and when its units split. Then the run is
watched, again and again up to that step: see ``symmetry.culprit.search``.
"""

import sys
from bisect import bisect_left
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from symmetry.base.random import Random
from symmetry.culprit.describe import Scene, at
from symmetry.culprit.explanation import Difference, Explanation
from symmetry.culprit.pair import Measurement, apart
from symmetry.culprit.plant import nudged, with_different
from symmetry.culprit.search import Watched, Ways, chosen, scaled_rows, watched
from symmetry.culprit.setting import Setting
from symmetry.culprit.spot import tolerance_of
from symmetry.units.follow import Follower
from symmetry.units.state import State, finite
from symmetry.units.units import Order, Units, first_of_group
from symmetry.units.words import groups_in_words

_MOST = 3  # culprits that one odd unit has
_MENDED = 4  # times that earlier findings are mended to see whether later ones stay
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


def explain_setting(setting: Setting, steps: int, *, first: str = "") -> Explanation:
    """Find the operation that splits the equal units of a setting in so many steps, if one does.

    The group of units that is named ``first`` is looked at before all others.
    """
    splits, compared = _splits(setting, steps)
    splits.sort(key=lambda split: (split.units.name != first, -split.apart))
    found: list[Explanation] = []
    for split in splits[:_GROUPS]:
        found.append(_explain_split(setting, split, compared))
        if found[-1].outcome == "rounding" and setting.forgets:
            found[-1] = _explain_later(setting, split, steps, found[-1])
        if found[-1].outcome == "explained":
            return found[-1]
    return found[0] if found else Explanation(setting.name, "nothing split", compared)


def explain_exchange(setting: Setting, steps: int, *, first: str = "") -> Explanation | None:
    """Find the operation that does more than exchange two units, if none of a setting split."""
    for units in sorted(setting.units, key=lambda group: group.name != first):
        unfair = _unfair_exchange(setting, units, steps)
        if unfair is not None:
            there, a, b, array = unfair
            run = watched(there, units, steps)
            ways = Ways(run, a, b, a, 0)
            return _told(_unexplained(run, steps, steps, array), ways, ways.judge()[0])
    return None


def _unfair_exchange(
    setting: Setting, units: Units, steps: int
) -> tuple[Setting, int, int, str] | None:
    """Return two of the units whose exchange does more than exchange them, if it finds some.

    A step that takes a norm over some of the units and divides all of them by it keeps equal units
    equal, and is unfair all the same. Before the units comes the setting that starts where this is
    so, behind them the array of the state that shows it. They are found by halving a random order:
    a cycle of its first units is fair, and one of as many and the next is not.
    """
    random = Random(0, 9).permutation(units.count)
    start = with_different(setting.start, units, range(units.count), setting.scale, 0)
    last, near = setting.last(start, steps), setting.last(nudged(start, 0), steps)
    limits = {
        name: tolerance_of(last[name], near[name], setting.limit * apart(last[name], near[name]))
        for name in start  # an optimiser makes more, in which the units are not known
    }

    def cycle(some: int) -> Order:
        order = np.arange(units.count)
        order[random[:some]] = np.roll(random[:some], -1)
        return order

    @cache
    def moved(some: int) -> str | None:
        """Return the array of the end that a cycle does more to than to rearrange its units."""
        end = setting.last(units.rearranged(start, cycle(some)), steps)
        expected = units.rearranged(last, cycle(some))
        beyond = (n for n, limit in limits.items() if apart(end[n], expected[n]) > limit)
        return next(beyond, None)

    if moved(units.count) is None:
        return None
    unfair = bisect_left(range(units.count), True, 2, key=lambda some: moved(some) is not None)
    there = setting.at(units.rearranged(start, cycle(unfair - 1)))
    a, b = map(int, random[unfair - 2 : unfair])
    return there, a, b, moved(unfair) or ""


def _explain_split(setting: Setting, split: _Split, compared: int) -> Explanation:
    run = None
    if setting.forgets and split.step > 1:
        run = watched(setting.at(split.before), split.units, 1, split.step - 1)
    if run is None or not run.groups:  # the step splits them only after the others
        run = watched(setting, split.units, split.step)
    explanation = _unexplained(run, compared, split.step, split.array, split.difference)
    if run.groups:
        return _told(explanation, *_followed(run))
    dynamo = sys.modules.get("torch._dynamo.utils")  # torch.compile compiles no watched run
    compiled = dynamo is not None and dynamo.counters["frames"]["ok"] > 0
    return replace(explanation, outcome="compiled only") if compiled or run.jax else explanation


def _unexplained(
    run: Watched, compared: int, step: int, array: str, difference: Difference | None = None
) -> Explanation:
    """Say what is known before the watched run is looked at."""
    jax = ("JAX's operations were evaluated one by one, not compiled",) if run.jax else ()
    return Explanation(
        trainer=run.setting.name,
        outcome="not while observed",
        steps=compared,
        step=step,
        units=run.units.name,
        array=array,
        difference=difference,
        observed=len(run.events),
        remarks=(*run.setting.remarks, *jax),
    )


def _explain_later(
    setting: Setting, split: _Split, steps: int, rounding: Explanation
) -> Explanation:
    """Make units equal again that rounding has split, and look for a jump in the steps to come."""
    order = first_of_group(split.units.groups(setting.start), split.units.count)
    state: State = split.before
    for step in range(split.step, min(split.step + _LATER, steps) + 1):
        before = split.units.rearranged(state, order)
        there = setting.at(before)
        state = there.last(before, 1)
        for later in _splits(there, 1)[0] if step > split.step else ():
            if later.apart > _FARTHER * split.apart and finite(state):
                found = _explain_split(setting, replace(later, step=step, before=before), steps)
                if found.outcome == "explained":
                    size = f"{ROUNDING}: {NOT_THE_CAUSE}"
                    first = rounding.culprits[0]
                    first = replace(first, difference=replace(first.difference, size=size))
                    return replace(found, culprits=(*found.culprits, first))
    return rounding


def _splits(setting: Setting, steps: int) -> tuple[list[_Split], int]:
    """Run unobserved; return the first split of each group, and how many steps were compared.

    The run ends after a step in which all groups have split. The first step with a number that is
    not finite is the last one compared.
    """
    start = setting.start
    followers = [(units, Follower(units, start)) for units in setting.units]
    splits, before, step = list[_Split](), start, 0
    for step, state in enumerate(setting.states(start, steps), 1):
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
        if not finite(state) or all(follower.split is not None for _, follower in followers):
            break
        before = state
    return splits, step


def _followed(run: Watched) -> tuple[Ways, list[Measurement]]:
    """Follow an odd unit, and others while none jumps; return the first that jumps, or differs."""
    a, c, odd = chosen(run.groups)
    tried: list[tuple[Ways, list[Measurement]]] = []
    for b in odd[:_ODD]:
        for seed in range(_SEEDS):
            ways = Ways(run, a, b, c, seed)
            found, _ = ways.judge()
            if found or ways.other_way is not None:
                break
        if any(finding.jumps for finding in found):
            return ways, found
        tried.append((ways, found))
    return min(tried, key=lambda way: way[1][0].event if way[1] else sys.maxsize)


def _told(explanation: Explanation, ways: Ways, found: list[Measurement]) -> Explanation:
    """Choose among the findings, and describe those chosen."""
    remarks, other_way = list(explanation.remarks), ways.other_way
    if other_way is not None and (not found or ways.leaves < ways.own[found[0].event]):
        remarks.append(f"cannot tell: the run takes another way at {at(other_way)}")
        return replace(explanation, outcome="another way", remarks=tuple(remarks))
    if not found:
        return replace(explanation, outcome="not reached")
    if not ways.run.groups:
        culprit = Scene(ways, next(filter(ways.matters, found), found[0])).culprit()
        return replace(explanation, outcome="explained", step=culprit.step, culprits=(culprit,))
    if ways.control.a == ways.control.b:
        remarks.append("there is no second usual unit, so there was no control run")
    causes, left = _causes(ways, found, jumping=True)
    if not causes:
        causes, left = _causes(ways, found, jumping=False)
    scenes = [Scene(ways, cause) for cause in causes]
    jumps = [scene for scene in scenes if scene.finding.jumps and not scene.rounds]
    culprits = [scene.culprit() for scene in jumps] or [scene.culprit(ROUNDING) for scene in scenes]
    if left:
        culprits[-1] = replace(culprits[-1], evidence=(*culprits[-1].evidence, left))
    first = next(filter(ways.matters, found), found[0])
    if jumps and ways.seen[first.event].call.place != ways.seen[jumps[0].finding.event].call.place:
        culprits.append(Scene(ways, first).culprit(f"{ROUNDING}: {NOT_THE_CAUSE}"))
    explanation = replace(explanation, culprits=tuple(culprits), remarks=tuple(remarks))
    return replace(explanation, outcome="explained" if jumps else "rounding")


def _causes(
    ways: Ways, found: list[Measurement], *, jumping: bool
) -> tuple[list[Measurement], str]:
    """Return the findings that nothing before them explains, and what is left without them.

    A jump may be what an earlier difference of the size of rounding grew to. So all before it is
    made equal in the run, which then shows whether the jump stays.
    """
    causes: list[Measurement] = []
    mended: list[Measurement] = []
    left = ""
    for _ in range(_MENDED):
        first = next((f for f in found if (f.jumps or not jumping) and ways.matters(f)), None)
        if first is None:
            break
        met = {finding.event for finding in mended}
        before = [f for f in found[: found.index(first)] if f.spot.both and f.event not in met]
        if not before:
            *others, new = [ways.seen[finding.event].call for finding in (*causes, first)]
            if (new.name, new.place) not in [(other.name, other.place) for other in others]:
                causes.append(first)
            if len(causes) == _MOST or not first.spot.both or first.event in met:
                return causes, ""
            before = [f for f in found if f.spot.both and f.event == first.event]
        mended += before
        found, split = ways.judge(mended)
        left = "" if found else STILL_SPLITS if split else STAYS_SYMMETRIC
    return causes, left
