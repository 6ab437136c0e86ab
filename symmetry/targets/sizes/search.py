"""Trainings of a family are run: few invariants at every size, all of them at two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice

from symmetry.checker.arguments import Smallest, TriedSizes
from symmetry.checker.options import SETS
from symmetry.checker.plan import Plan
from symmetry.checker.progress import Progress
from symmetry.checker.run import run
from symmetry.checker.verdict import Checked, Verdict
from symmetry.invariants.invariant import TrainingInvariant
from symmetry.targets.sizes.arguments import Arguments, spell
from symmetry.targets.sizes.family import Family
from symmetry.targets.sizes.outcome import SizeOutcome, first_steps
from symmetry.targets.sizes.shrink import StepBudget, T, contrast, shrink

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
            fast=False,
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
