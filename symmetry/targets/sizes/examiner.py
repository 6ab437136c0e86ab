"""Verdicts on a family of trainings: each is the one on its smallest arguments that fail.

The search runs few invariants at every size, all of them at two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice

from symmetry.checker.examiner import Examiner, verdict_of
from symmetry.checker.options import SETS
from symmetry.checker.plan import Plan
from symmetry.checker.progress import Progress
from symmetry.checker.run import run
from symmetry.checker.verdict import Checked, Smallest, TriedSizes, Verdict
from symmetry.invariants.invariant import TrainingInvariant
from symmetry.law.invariant import Invariant
from symmetry.law.note import Note
from symmetry.targets.sizes.arguments import Arguments, spell
from symmetry.targets.sizes.family import Family
from symmetry.targets.sizes.shrink import StepBudget, T, contrast, shrink
from symmetry.targets.sizes.sizes import SIZES, SizeOutcome, first_steps, violation
from symmetry.training.run_facts import RunFacts, united

_USUAL = (8, 16, 32)  # sizes that authors write in
_WHOLE = 2  # sizes at which all invariants are checked: the usual one and the smallest


class Search:
    """The trials of a family, each run once, and the checks of those that run.

    Parameters
    ----------
    family
        The trainings.
    plan
        Its options are those of each check.
    progress
        Hears which arguments are run.
    """

    def __init__(self, family: Family, plan: Plan, progress: Progress) -> None:
        self._family, self._plan, self._progress = family, plan, progress
        self._space = family.space(plan.options.seed)
        self._trials: dict[str, SizeOutcome] = {}
        self._verdicts: dict[tuple[str, str, str], Verdict | None] = {}
        self._doing = 0, 1
        self.examples = self._space.examples(plan.options.examples or SETS)
        self.checks: list[tuple[Arguments, Checked]] = []

    @cached_property
    def _budget(self) -> StepBudget:
        """The steps of all shrinking, which begins when the examples were run."""
        return StepBudget()

    def run(self, invariants: Sequence[TrainingInvariant]) -> None:
        """Run all examples, and check those that run."""
        few = [each for each in invariants if each.cheap or self._plan.options.only]
        for number, arguments in enumerate(self.examples):
            self._doing = number, len(self.examples)
            if self.trial(arguments).outcome == "ran":
                chosen = invariants if len(self.checks) < _WHOLE else few
                if chosen:
                    self._keep(arguments, self._check(arguments, chosen))
        if all(trial.outcome == "raised" for _, trial in self.outcomes()):
            self.examples += self._written()

    def outcomes(self) -> tuple[tuple[Arguments, SizeOutcome], ...]:
        """Return the outcome of each example."""
        return tuple((arguments, self.trial(arguments)) for arguments in self.examples)

    def trial(self, arguments: Arguments) -> SizeOutcome:
        """Return the outcome of the first steps of a training.

        A rate may be too large: an error after the first loss that smaller rates do not raise says
        nothing of sizes.
        """
        line = spell(arguments)
        if line not in self._trials:
            found = self._first_steps(arguments)
            slower = self._slower(arguments)
            diverging = found.outcome == "raised" and not found.making and slower != arguments
            if diverging and self._first_steps(slower).outcome == "ran":
                found = SizeOutcome("unjudged", f"{found.message}, and not with {spell(slower)}")
            self._trials[line] = found
        return self._trials[line]

    def verdicts(self, invariant: str, dtype: str) -> tuple[tuple[Arguments, Verdict], ...]:
        """Return the verdicts on an invariant, with their arguments."""
        return tuple(
            (arguments, verdict)
            for arguments, checked in self.checks
            for verdict in checked.verdicts
            if (verdict.invariant, verdict.dtype) == (invariant, dtype)
        )

    def verdict(self, arguments: Arguments, about: TrainingInvariant, dtype: str) -> Verdict | None:
        """Return the verdict on an invariant with some arguments; None if it does not run."""
        key = spell(arguments), about.name, dtype
        if key not in self._verdicts:
            ran = self.trial(arguments).outcome == "ran"
            checked = self._check(arguments, [about], dtype).verdicts if ran else ()
            self._verdicts[key] = next(iter(checked), None)
        return self._verdicts[key]

    def smallest(
        self,
        arguments: Arguments,
        failure: T,
        fails: Callable[[Arguments], T | None],
        passes: Callable[[Arguments], bool],
        words: str,
        *,
        alone: bool = True,
    ) -> tuple[Arguments, T, Smallest]:
        """Return the smallest arguments that fail, how they do, and all of it for reports.

        ``words`` has places for the argument that matters, failing and passing.
        """
        arguments, failure = shrink(self._space, arguments, failure, fails, self._budget)
        ran = next((a for a, trial in self.outcomes() if trial.outcome == "ran"), {})
        pair = contrast(self._space, arguments, passes, self._budget, ran)
        where = words.format(*pair) if pair else ""
        name = self._family.member(arguments).name
        return arguments, failure, Smallest(spell(arguments), name, alone, where, arguments)

    def sizes(self) -> TriedSizes:
        """Return what was tried, for the report."""
        outcomes = self.outcomes()
        tried = [a for a, trial in outcomes if trial.outcome in ("ran", "raised")]
        refused = [trial for _, trial in outcomes if trial.outcome == "refused"]
        unjudged = [trial for _, trial in outcomes if trial.outcome == "unjudged"]
        return TriedSizes(
            tuple(map(spell, tried)),
            *(len(refused), next((t.message + t.place for t in refused), "")),
            *(len(unjudged), next((t.message for t in unjudged), "")),
            self._space.spans(tried),
        )

    def _written(self) -> tuple[Arguments, ...]:
        """Return arguments that run, with a size that authors write in; none if all raise.

        ``view(8, -1)`` runs with eight samples only, which may be no example: such a size stands in
        each error or its line.
        """
        sizes = set.intersection(*(trial.integers for _, trial in self.outcomes()))
        tries = self._space.with_sizes(sorted(sizes.union(_USUAL)))
        return tuple(islice((a for a in tries if self.trial(a).outcome == "ran"), 1))

    def _keep(self, arguments: Arguments, checked: Checked) -> None:
        self.checks.append((arguments, checked))
        for verdict in checked.verdicts:
            self._verdicts[spell(arguments), verdict.invariant, verdict.dtype] = verdict

    def _first_steps(self, arguments: Arguments) -> SizeOutcome:
        options, training = self._plan.options, self._family.member(arguments).training
        self._progress.case(spell(arguments), "float32", *self._doing)
        try:
            return first_steps(training, options.steps, options.seed)
        finally:
            training.close()

    def _slower(self, arguments: Arguments) -> Arguments:
        """Return the arguments with the smallest floats that may be drawn."""
        least = self._space.smallest
        return {n: least[n] if isinstance(v, float) else v for n, v in arguments.items()}

    def _check(
        self, arguments: Arguments, invariants: Sequence[TrainingInvariant], dtype: str = ""
    ) -> Checked:
        options = replace(
            self._plan.options,
            only=tuple(invariant.name for invariant in invariants),
            dtype=dtype or self._plan.dtypes,
            skip=(),
            expected_failures={},
        )
        member = self._family.member(arguments)
        heard = _Heard(self._progress, spell(arguments), *self._doing)
        return run(member.plan(options), heard)


class _Heard(Progress):
    """Says which arguments are checked, and passes no verdict on."""

    def __init__(self, progress: Progress, arguments: str, number: int, of: int) -> None:
        self._progress, self._arguments, self._number, self._of = progress, arguments, number, of

    def case(
        self, invariant: str, dtype: str, number: int, cases: int, case: object = None
    ) -> None:
        del invariant, number, cases, case
        self._progress.case(self._arguments, dtype, self._number, self._of)


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
            self.facts = united([self.facts, RunFacts(warnings=checked.facts.warnings)])
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
