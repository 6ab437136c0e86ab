"""From a subject to the operation that tells its equal units apart.

First the subject is run as ever, to learn whether and when its units split. Then the run is
watched, again and again up to that step: see ``symmetry.culprit.search``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from symmetry.culprit.describe import Case, describe
from symmetry.culprit.explanation import Difference, Explanation, Outcome
from symmetry.culprit.pair import Finding
from symmetry.culprit.search import (
    Mends,
    Seen,
    follow,
    mend,
    remember,
)
from symmetry.culprit.subject import Subject
from symmetry.units.compare import Group
from symmetry.units.follow import Follower
from symmetry.units.state import State, finite
from symmetry.units.units import Units, first_of_group
from symmetry.units.words import groups_in_words

_MOST = 3  # culprits that are described
_MENDED = 4  # times that earlier findings are mended to see whether later ones stay
_SEEDS = 2
_GROUPS = 3  # that are looked at

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
    apart: float


def explain_subject(subject: Subject, steps: int, *, first: str = "") -> Explanation:
    """Find the operation that splits the equal units of a subject, if one does.

    Parameters
    ----------
    steps
        The longest run.
    first
        The name of the group of units that is looked at before all others.
    """
    splits, compared = _splits(subject, steps)
    splits.sort(key=lambda split: (split.units.name != first, -split.apart))
    found: list[Explanation] = []
    for split in splits[:_GROUPS]:
        found.append(_explain_split(subject, split, compared))
        if found[-1].outcome == "explained":
            return found[-1]
    return found[0] if found else Explanation(subject.name, "nothing split", compared)


def _explain_split(subject: Subject, split: _Split, compared: int) -> Explanation:
    earlier = 0
    window: Subject = subject
    if split.step > 1:
        later = subject.after(split.before)
        if later is not None:
            own, ends, states = remember(later, 1)
            if _split_groups(split.units, later.start, states[-1]):
                window, earlier = later, split.step - 1
    if window is subject:
        own, ends, states = remember(subject, split.step)
    explanation = Explanation(
        subject.name,
        "not while observed",
        compared,
        split.step,
        split.units.name,
        split.array,
        split.difference,
        len(own),
        (),
        tuple(subject.remarks),
    )
    groups = _split_groups(split.units, window.start, states[-1], window.coarse)
    jax = any(seen.library == "jax" for seen in own)
    if jax:
        remark = "JAX's operations were evaluated one by one, not compiled"
        explanation = replace(explanation, remarks=(*explanation.remarks, remark))
    if not groups:
        compiled = jax or _has_compiled()
        return replace(explanation, outcome="compiled only") if compiled else explanation
    for seed in range(_SEEDS):
        ways, found = follow(window, split.units, len(ends), own, groups, seed)
        if found or ways.other_way is not None:
            break
    return _told(explanation, Case(ways, split.units, own, ends, groups, earlier), found)


def _has_compiled() -> bool:
    """Return whether ``torch.compile`` has compiled anything; it does not in watched runs."""
    dynamo = sys.modules.get("torch._dynamo.utils")
    return dynamo is not None and dynamo.counters["frames"]["ok"] > 0


def _splits(subject: Subject, steps: int) -> tuple[list[_Split], int]:
    """Run unobserved; return the first split of each group, and how many steps were compared.

    The run ends after a step in which all groups have split. The first step with a number that is
    not finite is the last one compared.
    """
    start = subject.start
    followers = [(units, Follower(units, start)) for units in subject.units]
    splits: list[_Split] = []
    before, step = start, 0
    for step, state in enumerate(subject.run(start, steps), 1):
        for units, follower in followers:
            new = follower.split is None
            follower.see(step, state)
            split = follower.split
            if split is not None and new:
                words = groups_in_words(split.groups)
                difference = Difference(words, split.ulps, split.relative, "")
                apart = _apart(units, start, state)
                splits.append(_Split(units, step, split.array, difference, before, apart))
        if not finite(state) or all(follower.split is not None for _, follower in followers):
            break
        before = state
    return splits, step


@np.errstate(all="ignore")
def _apart(units: Units, start: State, state: State) -> float:
    """Return how far clones are apart, of the largest entry of their array."""
    first = first_of_group(units.groups(start), units.count)
    found = 0.0
    for part in units.parts:
        rows = units.rows(state, part)
        largest = float(abs(rows).max(initial=0))
        if largest > 0:
            found = max(found, float(abs(rows - rows[first]).max(initial=0)) / largest)
    return found


def _split_groups(
    units: Units, start: State, state: State, coarse: float = 0.0
) -> tuple[Group, ...]:
    """Return how the first group of clones that split is split now; empty if none did.

    Units closer than ``coarse`` count as equal, unless all of them are.
    """
    exact = units.groups(state)
    for now in [_near_groups(units, state, coarse), exact] if coarse else [exact]:
        for clones in units.groups(start):
            pieces = tuple(piece for group in now if (piece := tuple(sorted({*group} & {*clones}))))
            if len(pieces) > 1:
                return pieces
    return ()


@np.errstate(all="ignore")
def _near_groups(units: Units, state: State, coarse: float) -> list[Group]:
    """Return units that are equal but for a small multiple of their array's largest entry."""
    rows = [units.rows(state, part) for part in units.parts if part.array in state]
    scaled = [row / (abs(row).max(initial=0) or 1) for row in rows]
    groups: list[list[int]] = []
    for unit in range(units.count):
        for group in groups:
            if all(abs(row[unit] - row[group[0]]).max(initial=0) <= coarse for row in scaled):
                group.append(unit)
                break
        else:
            groups.append([unit])
    return [tuple(group) for group in groups]


def _told(explanation: Explanation, case: Case, found: list[Finding]) -> Explanation:
    """Choose among the findings, and describe those chosen."""
    ways, remarks = case.ways, list(explanation.remarks)
    first = found[0] if found else None
    other_way = ways.other_way
    if other_way is not None and (first is None or _comes_before(case, other_way, first)):
        text = f"cannot tell: the run takes another way at {_at(other_way)}"
        return replace(explanation, outcome="another way", remarks=(*remarks, text))
    if first is None:
        return replace(explanation, outcome="not reached", remarks=tuple(remarks))
    if ways.control is None:
        remarks.append("there is no second usual unit, so there was no control run")
    jumps, left = _jumps(case, found)
    outcome: Outcome = "explained"
    words = ""
    chosen = jumps
    if not jumps:
        outcome, words = "rounding", ROUNDING
        chosen, left = _roundings(case, found)
    culprits = [describe(case, finding, words) for finding in chosen]
    if left:
        last = culprits[-1]
        culprits[-1] = replace(last, evidence=(*last.evidence, left))
    earlier = bool(jumps) and not first.jumps and first.event < jumps[0].event
    if earlier and ways.seen[first.event].place != ways.seen[jumps[0].event].place:
        culprits.append(describe(case, first, f"{ROUNDING}: {NOT_THE_CAUSE}"))
    return replace(explanation, outcome=outcome, culprits=tuple(culprits), remarks=tuple(remarks))


def _jumps(case: Case, found: list[Finding]) -> tuple[list[Finding], str]:
    """Return the findings that jump although all before them is mended, and what is left then.

    A jump may be what an earlier difference of the size of rounding grew to. So the earlier ones
    are mended in the run, which then shows whether the jump stays.
    """
    jumps: list[Finding] = []
    mends: Mends = {}
    left = ""
    for _ in range(_MENDED):
        number = next((n for n, f in enumerate(found) if f.jumps), None)
        if number is None:
            break
        before = [f for f in found[:number] if mend(f) is not None and f.event not in mends]
        if not before:
            if not any(_is_same(case, found[number], jump) for jump in jumps):
                jumps.append(found[number])
            if len(jumps) == _MOST or mend(found[number]) is None:
                return jumps, ""
            before = [f for f in found if f.event == found[number].event]
        mends = _mended(mends, before)
        found, left = _again(case, mends)
    return jumps, left


def _roundings(case: Case, found: list[Finding]) -> tuple[list[Finding], str]:
    """Return the first finding, the first with that one mended, and so on; and what is left."""
    first: list[Finding] = []
    mends: Mends = {}
    left = ""
    while found and len(first) < _MOST and found[0].event not in mends:
        if not any(_is_same(case, found[0], other) for other in first):
            first.append(found[0])
        if mend(found[0]) is None:
            break
        mends = _mended(mends, [f for f in found if f.event == found[0].event])
        found, left = _again(case, mends)
    return first, left


def _mended(mends: Mends, findings: Sequence[Finding]) -> Mends:
    """Return the mends and those of more findings."""
    new = {event: list(changes) for event, changes in mends.items()}
    for finding in findings:
        change = mend(finding)
        if change is not None:
            new.setdefault(finding.event, []).append(change)
    return new


def _again(case: Case, mends: Mends) -> tuple[list[Finding], str]:
    """Return what is found with some results made equal, and what there is to say of the run.

    After the first culprit, the exchange of units fits only where all operands still hold both.
    """
    everything, last = case.ways.judge(case.clones, mends)
    after = case.ways.after(mends)
    found = [
        f
        for f in everything
        if f.kind != "stray"
        and (f.event not in after or (f.kind == "differs" and case.ways.holds_both(f.event)))
    ]
    if not found and case.ways.apart(last):
        return found, STILL_SPLITS
    return found, "" if found else STAYS_SYMMETRIC


def _is_same(case: Case, one: Finding, other: Finding) -> bool:
    """Return whether two findings are the same operation on the same line."""
    first, second = case.ways.seen[one.event], case.ways.seen[other.event]
    return (first.name, first.place) == (second.name, second.place)


def _comes_before(case: Case, other: Seen, finding: Finding) -> bool:
    """Return whether the run takes another way before a finding."""
    return other in case.own and case.own.index(other) < case.ways.own(finding.event)


def _at(seen: Seen) -> str:
    return f"{seen.name} ({seen.place})" if seen.place.file else seen.name
