"""Running a plan: one verdict for each invariant and dtype."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from fnmatch import fnmatchcase

from symmetry.base.errors import BudgetSpent
from symmetry.checker.accepted import found_of
from symmetry.checker.examiner import Examiner
from symmetry.checker.ignored import IgnoredLines
from symmetry.checker.options import Options
from symmetry.checker.plan import Plan, unmet
from symmetry.checker.progress import Progress
from symmetry.checker.threads import one_thread
from symmetry.checker.verdict import JUDGED, Checked, Verdict, settled
from symmetry.finding.coverage import Coverage
from symmetry.law.invariant import Invariant
from symmetry.law.note import Note

_clock = time.monotonic  # code under test may replace it
GuiltyLine = tuple[str | None, int | None]  # the file, and the line from 1


def run(plan: Plan, progress: Progress | None = None, examiner: Examiner | None = None) -> Checked:
    """Run every invariant of the plan; return one verdict for each invariant and dtype.

    An examiner of a larger plan, which has begun, goes on; whoever began it ends it.
    """
    began = _clock()
    progress = progress or Progress()
    progress.begin(plan.heading)
    begins = examiner is None
    examiner = examiner or plan.target.examiner(plan, progress)
    record = Checked(
        target=plan.target.name,
        seed=None if plan.given else plan.options.seed,
        examples=examiner.examples,
        verdicts=examiner.planned(),
        heading=plan.heading,
        ignored=plan.ignored,
    )
    progress.planned(record)
    ignored = IgnoredLines(plan.ignored)
    verdicts, remarks = _verdicts(plan, examiner, progress, ignored, begins=begins)
    record = replace(record, verdicts=verdicts, remarks=remarks, seconds=_clock() - began)
    return _concluded(record, plan, examiner, ignored)


def _verdicts(
    plan: Plan, examiner: Examiner, progress: Progress, ignored: IgnoredLines, *, begins: bool
) -> tuple[tuple[Verdict, ...], tuple[str, ...]]:
    """Return the verdict for each invariant and dtype, and the remarks of the examiner."""
    found: dict[str, list[Verdict]] = {}  # by the name of the invariant
    with one_thread(), examiner.budget.spending():
        if begins:
            with suppress(BudgetSpent):
                examiner.begin()
        invariants = examiner.invariants if begins else plan.invariants
        found.update((invariant.name, []) for invariant in invariants)
        tasks = examiner.tasks(invariants)
        last = {invariant.name: number for number, (invariant, _) in enumerate(tasks)}
        for number, (invariant, dtype) in enumerate(tasks):
            verdicts = found[invariant.name]
            verdicts.extend(filter(None, [_examined(examiner, invariant, dtype)]))
            if last[invariant.name] == number and not _waits(plan, verdicts):
                found[invariant.name] = _settled(plan, verdicts, progress, ignored)
        known = [verdict for each in found.values() for verdict in each]
        remarks = tuple(examiner.remarks(known))
        if begins:
            examiner.end()
    line = _explained_line(plan, examiner.coverage)
    for name, waiting in found.items():
        if _waits(plan, waiting):
            found[name] = _settled(plan, waiting, progress, ignored, line)
    return tuple(verdict for each in found.values() for verdict in each), remarks


def _concluded(record: Checked, plan: Plan, examiner: Examiner, ignored: IgnoredLines) -> Checked:
    """Return the record of a check with all that follows from its verdicts."""
    notes = tuple(notes_of(record.verdicts, ignored))
    judged = _judged(record.verdicts)
    facts, coverage = examiner.facts, examiner.coverage
    reached = all(verdict.kind != "not reached" for verdict in record.verdicts)
    return replace(
        record,
        complete=reached,
        cut="" if reached else f"within {plan.options.budget:g} s",
        notes=notes,
        gating=tuple(_gating(notes, plan.options)),
        coverage=coverage,
        sizes=examiner.sizes,
        unmet=tuple(unmet(plan.options, judged, _idle(record.verdicts))),
        facts=replace(
            facts,
            warnings=(*plan.renamed, *facts.warnings, *ignored.unused(_names_of(plan, judged))),
            covered=facts.covered.with_parameters(
                coverage.parameters if coverage is not None else 0
            ),
        ),
    )


def _examined(examiner: Examiner, invariant: Invariant, dtype: str) -> Verdict | None:
    """Return the verdict on an invariant; behind the end of the budget one that needs no call."""
    try:
        return examiner.examine(invariant, dtype)
    except BudgetSpent:
        planned = (v for v in examiner.planned() if (v.about, v.dtype) == (invariant, dtype))
        seconds = f"{examiner.plan.options.budget:g}"
        message = f"not reached within {seconds} CPU seconds (--budget)"
        return next((replace(v, kind="not reached", message=message) for v in planned), None)


def notes_of(verdicts: Sequence[Verdict], ignored: IgnoredLines) -> Iterator[Note]:
    """Yield the notes of verdicts, each once.

    Those are left out whose fact another one has said, and those that a comment excuses.
    """
    found = dict.fromkeys(note for verdict in verdicts for note in verdict.notes)
    said = {note.name for note in found}
    kinds = {kind.name: kind for verdict in verdicts for kind in verdict.about.notes}
    for note in found:
        if note.name in kinds and not said.isdisjoint(kinds[note.name].unless):
            continue
        if ignored.reason(note.name, [(note.file, note.line)]) is None:
            yield note


def _judged(verdicts: Sequence[Verdict]) -> dict[str, str]:
    """Return all invariants by name, with the reason if none of its verdicts says something."""
    judged = {verdict.invariant: verdict.message for verdict in reversed(verdicts)}
    return judged | {verdict.invariant: "" for verdict in verdicts if verdict.kind in JUDGED}


def _idle(verdicts: Sequence[Verdict]) -> set[str]:
    """Return the invariants that do not apply in any precision."""
    applying = {verdict.invariant for verdict in verdicts if verdict.kind != "not applicable"}
    return {verdict.invariant for verdict in verdicts} - applying


def _names_of(plan: Plan, judged: Mapping[str, str]) -> set[str]:
    """Return the invariants that were judged, and the notes that these can give."""
    found = {name for name, why in judged.items() if not why}
    return found | {k.name for each in plan.invariants if each.name in found for k in each.notes}


def _waits(plan: Plan, verdicts: Iterable[Verdict]) -> bool:
    """Return whether an explanation has to tell if a baseline or a comment accepts these verdicts.

    It begins runs of its own, so it comes after those of the check.
    """
    named = {name for each in plan.ignored for name in each.names}
    return any(
        (plan.baseline or v.invariant in named)
        and (v.kind == "violated" and v.about.exchanges and not v.file)
        for v in verdicts
    )


def _own_line(verdict: Verdict) -> GuiltyLine:
    return verdict.file, verdict.line


def _explained_line(plan: Plan, coverage: Coverage | None) -> Callable[[Verdict], GuiltyLine]:
    """Return a function that returns the guilty line of a violation, explained if need be.

    Violations of one training that one kind of exchange explains share a line.
    """
    known: dict[object, GuiltyLine] = {}

    def line(verdict: Verdict) -> GuiltyLine:
        if verdict.file or not verdict.about.exchanges:
            return _own_line(verdict)
        alone = verdict.about.two_layer or verdict.smallest is not None
        key = (verdict.invariant, verdict.dtype) if alone else verdict.about.exchanges
        if key not in known:
            explained = plan.target.explanation_of(verdict, coverage)
            culprits = () if explained is None else explained.culprits
            known[key] = (culprits[0].file, culprits[0].line) if culprits else (None, None)
        return known[key]

    return line


def _settled(
    plan: Plan,
    verdicts: list[Verdict],
    progress: Progress,
    ignored: IgnoredLines,
    line: Callable[[Verdict], GuiltyLine] = _own_line,
) -> list[Verdict]:
    """Apply the expectations of failures to the verdicts on one invariant, and report these."""
    if plan.baseline:
        verdicts = [
            replace(v, found=found_of(v, *line(v))) if v.kind == "violated" else v for v in verdicts
        ]
    reasons = plan.expected.get(verdicts[0].invariant, {}) if verdicts else {}
    found = [_excused(verdict, ignored, line) for verdict in settled(verdicts, reasons)]
    for verdict in found:
        progress.verdict(verdict)
    return found


def _excused(
    verdict: Verdict, ignored: IgnoredLines, line: Callable[[Verdict], GuiltyLine]
) -> Verdict:
    """Return a violation as an expected failure, if comments excuse all its lines."""
    if verdict.kind != "violated" or verdict.violation is None:
        return verdict
    lines = (line(verdict), *verdict.violation.also)
    reason = ignored.reason(verdict.invariant, lines)
    if reason is None and verdict.violation.kind:  # a comment excuses it from the note that it was
        reason = ignored.reason(verdict.violation.kind, lines)
    return verdict if reason is None else replace(verdict, kind="expected failure", reason=reason)


def _gating(notes: Iterable[Note], options: Options) -> Iterable[Note]:
    """Return the notes that fail the check."""
    return (note for note in notes if any(fnmatchcase(note.name, each) for each in options.gate))
