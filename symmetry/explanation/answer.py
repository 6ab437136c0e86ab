"""From a start to the operation that splits its equal units.

First the target is run as ever, to learn whether and when its units split. Then the run is taped,
again and again up to that step: see ``symmetry.explanation.search``.
The conclusion describes the inequalities that nothing before them explains.
"""

import sys
from dataclasses import replace

from symmetry.base.libraries import imported
from symmetry.explanation.explained import Difference, Explained
from symmetry.explanation.operation.captured import capture
from symmetry.explanation.operation.description import Description, at
from symmetry.explanation.search.exchanged_runs import ExchangedRuns
from symmetry.explanation.search.inequality import Inequality
from symmetry.explanation.search.odd_unit import odd_inequalities
from symmetry.explanation.search.runs import TapedRun, usual_and_odd, watch
from symmetry.explanation.splits import FirstSplit, find_splits, unfair_exchange
from symmetry.explanation.starts import TapedStart
from symmetry.units.state import State, finite
from symmetry.units.units import first_of_group

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
