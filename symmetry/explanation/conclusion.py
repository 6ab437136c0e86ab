"""The conclusion of a search: the inequalities that nothing before them explains, described."""

from dataclasses import replace

from symmetry.explanation.explained import Explained
from symmetry.explanation.operation.captured import capture
from symmetry.explanation.operation.description import Description, at
from symmetry.explanation.search.exchanged_runs import ExchangedRuns
from symmetry.explanation.search.inequality import Inequality
from symmetry.explanation.search.odd_unit import odd_inequalities

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
