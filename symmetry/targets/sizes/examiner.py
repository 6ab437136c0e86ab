"""Verdicts on a family of trainings: each is the one on its smallest arguments that fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from symmetry.checker.examiner import Examiner, verdict_of
from symmetry.checker.plan import Plan
from symmetry.checker.progress import Progress
from symmetry.checker.verdict import Verdict
from symmetry.invariants.invariant import TrainingInvariant
from symmetry.law.invariant import Invariant
from symmetry.law.note import Note
from symmetry.targets.sizes.arguments import Arguments
from symmetry.targets.sizes.family import Family
from symmetry.targets.sizes.outcome import SizeOutcome
from symmetry.targets.sizes.search import Search
from symmetry.targets.sizes.sizes import SIZES, violation

_FAILED = ("violated", "error")
_NONE = "no drawn size runs"
_RANKED = ("not finished", "rounding", "holds", "vacuous", "not applicable")


class FamilyExaminer(Examiner):
    """Runs all examples when it begins; then shrinks the failures of one invariant at a time."""

    def __init__(self, family: Family, plan: Plan, progress: Progress) -> None:
        super().__init__(plan, progress)
        self.search = Search(family, plan, progress)
        self.examples = len(self.search.examples)
        self._known: list[Arguments] = []  # smallest arguments of failures

    def planned(self) -> tuple[Verdict, ...]:
        """Return the verdicts to come: some invariants are judged in one dtype only."""
        return tuple(v for v in super().planned() if v.dtype in _entry(v.about).dtypes)

    def begin(self) -> None:
        """Run all examples."""
        self.search.run([each for each in map(_entry, self.invariants) if each != SIZES])
        self.sizes = self.search.sizes()
        for _, checked in self.search.checks:
            self.warnings |= {text: text for text in checked.warnings}
            self.coverage = self.coverage or checked.coverage

    def examine(self, invariant: Invariant, dtype: str) -> Verdict | None:
        """Return the verdict on the smallest failure, or the one on all examples together."""
        about = _entry(invariant)
        if dtype not in about.dtypes:
            return None
        verdict = self._sizes(dtype) if about == SIZES else self._verdict(about, dtype)
        if verdict is not None:
            self.progress.examined(verdict)
        return verdict

    def remarks(self, verdicts: Sequence[Verdict]) -> Sequence[str]:  # noqa: ARG002
        """Return the conditions of the checks, each once."""
        remarks = dict.fromkeys(text for _, c in self.search.checks for text in c.remarks)
        return [*self.plan.remarks, *remarks]

    def _sizes(self, dtype: str) -> Verdict:
        """Judge whether all sizes run; if one does not, by the smallest that raises there."""
        blank = Verdict(SIZES, dtype, "vacuous")
        outcomes = self.search.outcomes()
        measured = SIZES.measure([trial for _, trial in outcomes])
        verdict = verdict_of(blank, measured, runs=len(outcomes), rounds=False)
        raised = [pair for pair in outcomes if pair[1].outcome == "raised"]
        if not raised:
            return verdict
        arguments, first = raised[0]

        def fails(arguments: Arguments) -> SizeOutcome | None:
            trial = self.search.trial(arguments)
            return trial if trial.outcome == "raised" and trial.cause == first.cause else None

        def runs(arguments: Arguments) -> bool:
            return self.search.trial(arguments).outcome == "ran"

        trial, smallest = self.search.smallest(
            arguments, first, fails, runs, "at {}; runs at {}", alone=False
        )[1:]
        found = violation(trial)
        others = {t.cause: t for _, t in raised if t.cause != first.cause}.values()
        also = "".join(f"; other sizes raise {t.message}{t.place}" for t in others)
        message = f"{found.message} {smallest.where}".rstrip() + also
        if verdict.kind == "violated":
            smallest = replace(smallest, where="")  # the message says it
            return replace(verdict, violation=found, message=message, smallest=smallest)
        message = f"it raises {trial.message} at all sizes that were drawn{trial.place}"
        return replace(verdict, kind="error", cases=len(outcomes), message=message)

    def _verdict(self, about: TrainingInvariant, dtype: str) -> Verdict | None:
        seen = self.search.verdicts(about.name, dtype)
        failed = [(arguments, v) for arguments, v in seen if v.kind in _FAILED]
        if failed:
            return self._smallest(about, dtype, *failed[0])
        verdicts = [verdict for _, verdict in seen]
        if not verdicts:
            return None if self.search.checks else Verdict(about, dtype, "vacuous", message=_NONE)
        return _together(verdicts)

    def _smallest(
        self, about: TrainingInvariant, dtype: str, arguments: Arguments, verdict: Verdict
    ) -> Verdict:
        def fails(arguments: Arguments) -> Verdict | None:
            found = self.search.verdict(arguments, about, dtype)
            return found if found is not None and found.kind == verdict.kind else None

        def holds(arguments: Arguments) -> bool:
            found = self.search.verdict(arguments, about, dtype)
            return found is not None and found.kind in ("holds", "rounding")

        for known in self._known:
            found = fails(known)
            if found is not None:
                arguments, verdict = known, found
                break
        arguments, verdict, smallest = self.search.smallest(
            arguments, verdict, fails, holds, "fails at {}, not at {}"
        )
        self._known.append(arguments)
        return replace(verdict, smallest=smallest)


def _together(verdicts: Sequence[Verdict]) -> Verdict:
    """Return one verdict on all sizes: the worst, with the counts of all."""
    kind = min((verdict.kind for verdict in verdicts), key=_RANKED.index)
    worst = max((v for v in verdicts if v.kind == kind), key=lambda verdict: verdict.ratio or 0)
    notes: dict[object, Note] = {}
    for note in (note for verdict in verdicts for note in verdict.notes):
        notes.setdefault((note.name, note.file, note.line), note)
    counted = sum(verdict.counted for verdict in verdicts)
    return replace(
        worst,
        cases=sum(verdict.cases for verdict in verdicts),
        counted=counted,
        unproved=worst.unproved and not counted,
        notes=tuple(notes.values()),
    )


def _entry(invariant: Invariant) -> TrainingInvariant:
    assert isinstance(invariant, TrainingInvariant)  # its catalogue has no others
    return invariant
