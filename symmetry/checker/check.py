"""Checking a step: every invariant on every case, and the smallest case of what goes wrong."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TypeVar

from symmetry.checker import recipes
from symmetry.checker.case import WEIGHTS, Case
from symmetry.checker.shrink import MAX_RUNS, shrink
from symmetry.checker.threads import one_thread
from symmetry.checker.verdict import Kind, Span, Verdict, settled
from symmetry.invariants.catalogue import Invariant, StepInvariant
from symmetry.invariants.finding import Finding
from symmetry.invariants.two_layer import TwoLayer
from symmetry.targets.trainer import Trainer, TrainerError
from symmetry.units.words import count

_ROUNDING_RUNS = 60  # to make its case smaller: each asks for many more, and it does not gate
_RERUNS = 3  # of the smallest case, to see whether it fails every time
_SPANS = ("n", "i", "h", "c", "lr", "iterations")

T = TypeVar("T", bound=Invariant)

# Shared by the invariants, some of which then share a run as well.
_setting = lru_cache(256)(recipes.setting)


class Progress:
    """What a check tells while it runs; a subclass shows it. All arguments can be pickled."""

    def begin(self, heading: tuple[str, ...]) -> None:
        """Say what is about to be checked, in lines."""

    def known(self, invariant: str, dtype: str) -> Verdict | None:
        """Return the verdict where it is known, so that nothing is to be run for it."""

    def case(
        self, invariant: str, dtype: str, number: int, cases: int, case: Case | None = None
    ) -> None:
        """Say that a case is about to be run: its number, from 0, and how many there are."""

    def failed(self, message: str) -> None:
        """Say at once that a training does not work: it may have other ranks that wait for it."""

    def examined(self, verdict: Verdict) -> None:
        """Say what was found, before it is known whether a failure was expected."""

    def verdict(self, verdict: Verdict) -> None:
        """Say what became of one invariant in one dtype."""


def check(
    trainer: Trainer,
    invariants: Sequence[StepInvariant],
    cases: Sequence[Case],
    *,
    exact: bool = False,
    expected_failures: Mapping[str, str] | None = None,
    shrinking: bool = True,
    min_samples: int = 1,
    progress: Progress | None = None,
) -> tuple[Verdict, ...]:
    """Check invariants of a two-layer step, one after the other, in every dtype of the cases.

    Parameters
    ----------
    trainer, invariants
        The step, and what must hold of it.
    cases
        What it is run on: all of them by each invariant, with the start that it needs.
    exact
        A split that the rounding of single steps explains is *violated*, not *rounding*.
    expected_failures
        Names of invariants that are known to be violated, each with the reason.
    shrinking
        Look for a smaller case when one fails.
    min_samples
        The smaller case has at least so many samples.
    progress
        Told before each case, and of the verdicts of each invariant as soon as they are known.

    Returns
    -------
    tuple of Verdict
        One for each invariant and dtype, in this order; but an error is told once. A step that does
        not even work on a small case of common sizes gets no further verdict in that dtype.
    """
    expected_failures, progress = expected_failures or {}, progress or Progress()
    errors = _Errors(trainer)

    def examine(invariant: StepInvariant, dtype: str) -> Verdict | None:
        if errors.hopeless(dtype):
            return None
        examiner = _Examiner(trainer, invariant, exact, shrinking, min_samples, progress, errors)
        return examiner.verdict(
            dtype, [fit(case, invariant) for case in cases if case.dtype == dtype]
        )

    dtypes = tuple(dict.fromkeys(case.dtype for case in cases))
    with one_thread():
        return settle_each(invariants, dtypes, examine, expected_failures, progress)


def settle_each(
    invariants: Sequence[T],
    dtypes: Sequence[str],
    examine: Callable[[T, str], Verdict | None],
    expected_failures: Mapping[str, str],
    progress: Progress,
) -> tuple[Verdict, ...]:
    """Examine invariants one after the other in each dtype, and tell what was settled of each."""
    verdicts: list[Verdict] = []
    for invariant in invariants:
        found = [verdict for dtype in dtypes if (verdict := examine(invariant, dtype)) is not None]
        for verdict in settled(found, expected_failures.get(invariant.name)):
            progress.verdict(verdict)
            verdicts.append(verdict)
    return tuple(verdicts)


def fit(case: Case, invariant: StepInvariant) -> Case:
    """Return the case with a start that can have the invariant's witness.

    Sizes, data and seed stay, and so does the start where it can have it.
    """
    cloned = case.weights.startswith("cloned")
    start = case.weights if case.weights == "zero" else "cloned" if cloned else "random"
    if start in invariant.weights:
        return case
    if "zero" in invariant.weights:
        return replace(case, weights="zero")
    if "random" in invariant.weights:
        return replace(case, weights="scaled")
    weights = f"cloned-{case.weights}"
    return replace(case, weights=weights if weights in WEIGHTS else "cloned")


@dataclass(frozen=True)
class _Outcome:
    """What came of a case: what was found, unless the step did not work, and how it failed."""

    finding: Finding | None
    kind: Kind = "holds"
    message: str = ""


@dataclass
class _Errors:
    """The errors of a step that were told; messages are the same if only their numbers differ."""

    trainer: Trainer
    told: set[str] = field(default_factory=set)
    _works: dict[str, str | None] = field(default_factory=dict)

    def add(self, outcome: _Outcome) -> None:
        if outcome.kind == "error":
            self.told.add(_without_numbers(outcome.message))

    def knows(self, outcome: _Outcome) -> bool:
        return outcome.kind == "error" and _without_numbers(outcome.message) in self.told

    def hopeless(self, dtype: str) -> bool:
        """Return whether an error that was told is all that can be got out of the step."""
        if not self.told or dtype not in self.trainer.dtypes:
            return False
        if dtype not in self._works:
            self._works[dtype] = None
            try:
                deque(_setting(replace(recipes.COMMON, dtype=dtype)).run(self.trainer), maxlen=0)
            except TrainerError as error:
                self._works[dtype] = _without_numbers(str(error))
        return self._works[dtype] in self.told


def _without_numbers(message: str) -> str:
    return re.sub(r"\d+", "0", message)


@dataclass(frozen=True)
class _Examiner:
    """One invariant put to one trainer."""

    trainer: Trainer
    invariant: StepInvariant
    exact: bool
    shrinking: bool
    min_samples: int
    progress: Progress
    errors: _Errors

    def verdict(self, dtype: str, cases: Sequence[Case]) -> Verdict:
        """Return the verdict that is known, or run the cases."""
        known = self.progress.known(self.invariant.name, dtype)
        if known is not None:
            return known
        found = self._examine(dtype, cases)
        self.progress.examined(found)
        return found

    def _examine(self, dtype: str, cases: Sequence[Case]) -> Verdict:
        """Run the cases until one fails; but rounding and errors that were told hide nothing."""
        verdict = Verdict(self.invariant.name, dtype, "holds")
        if dtype not in self.trainer.dtypes:
            message = f"the step takes {' and '.join(self.trainer.dtypes)} only"
            return replace(verdict, kind="not applicable", message=message)
        seen: list[tuple[Case, Finding]] = []
        failed: tuple[Case, _Outcome] | None = None
        for number, case in enumerate(cases):
            self.progress.case(self.invariant.name, dtype, number, len(cases), case)
            outcome = self._measure(_setting(case))
            if outcome.finding is not None:
                seen.append((case, outcome.finding))
            if outcome.kind == "holds" or self.errors.knows(outcome):
                continue
            if outcome.kind != "rounding":
                failed = case, outcome
                break
            failed = failed or (case, outcome)
        counting = [case for case, finding in seen if finding.counted]
        values = {key: [getattr(case, key) for case in counting] for key in _SPANS}
        verdict = replace(
            verdict,
            cases=number + 1,
            counted=len(counting),
            spans=tuple(Span(key, min(v), max(v)) for key, v in values.items() if v),
        )
        if failed:
            return self._failed(verdict, *failed)
        return self._passed(verdict, [finding for _, finding in seen])

    def _measure(self, setting: TwoLayer) -> _Outcome:
        try:
            finding = self.invariant.measure(self.trainer, setting)
        except TrainerError as error:
            return _Outcome(None, "error", str(error))
        if finding.violation is None:
            return _Outcome(finding)
        rounding = None if self.exact else self.invariant.rounding
        explained = rounding is not None and rounding(self.trainer, setting).explains
        return _Outcome(finding, "rounding" if explained else "violated", finding.violation.message)

    def _failed(self, verdict: Verdict, case: Case, failure: _Outcome) -> Verdict:
        """Describe a failure by the smallest case that fails in the same way."""
        self.errors.add(failure)
        if self.shrinking:
            case, failure = self._shrunk(case, failure)
            self.errors.add(failure)
        again = [self._fails_alike(recipes.setting(case), failure) for _ in range(_RERUNS)]
        finding = failure.finding
        violation = finding.violation if finding else None
        if violation is not None:
            violation = self.invariant.elaborate(self.trainer, _setting(case), violation)
        return replace(
            verdict,
            kind=failure.kind,
            max_ulps=finding.max_ulps if finding else None,
            margin=finding.margin if finding else None,
            case=case,
            violation=violation,
            message=failure.message,
            failures=sum(map(bool, again)),
            reruns=_RERUNS,
        )

    def _shrunk(self, case: Case, failure: _Outcome) -> tuple[Case, _Outcome]:
        """Cut the run after the iteration that failed, then try everything else."""

        def fails(candidate: Case) -> _Outcome | None:
            if candidate.n < self.min_samples:
                return None
            return self._fails_alike(_setting(candidate), failure)

        if failure.finding and failure.finding.violation:
            shorter = replace(case, iterations=failure.finding.violation.iteration)
            if found := fails(shorter):
                case, failure = shorter, found
        runs = MAX_RUNS if failure.kind != "rounding" else _ROUNDING_RUNS
        return shrink(case, failure, fails, runs)

    def _fails_alike(self, setting: TwoLayer, failure: _Outcome) -> _Outcome | None:
        found = self._measure(setting)
        return found if found.kind == failure.kind else None

    def _passed(self, verdict: Verdict, findings: Sequence[Finding]) -> Verdict:
        margins = [finding.margin for finding in findings if finding.margin is not None]
        return replace(
            verdict,
            kind="holds" if verdict.counted else "vacuous",
            max_ulps=max((finding.max_ulps for finding in findings), default=0),
            margin=max(margins, default=None),
            message="" if verdict.counted else self._why_vacuous(verdict.cases, findings),
        )

    def _why_vacuous(self, cases: int, findings: Sequence[Finding]) -> str:
        if not findings:
            return "the step works in no case, as an error above says"
        normal = f" ({self.invariant.normal})" if self.invariant.normal else ""
        return f"{self.invariant.otherwise} in {count(cases, 'case')}{normal}"
