"""Checking a trainer: every invariant on every case, and the smallest case of what goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal

from symmetry.checker import recipes
from symmetry.checker.case import WEIGHTS, Case
from symmetry.checker.shrink import shrink
from symmetry.checker.threads import one_thread
from symmetry.checker.verdict import Kind, Span, Verdict
from symmetry.errors import SymmetryError
from symmetry.invariants.catalogue import CATALOGUE, Invariant, select
from symmetry.invariants.finding import Finding, Violation
from symmetry.invariants.two_layer import TwoLayer
from symmetry.targets.trainer import Trainer, TrainerError

_RERUNS = 3  # of the smallest case, to see whether it fails every time
_SPANS = ("n", "i", "h", "c", "lr", "iterations")

OnCase = Callable[[Invariant, str, int, int], None]

# Shared by the invariants, some of which then share a run as well.
_problem = lru_cache(256)(recipes.problem)


def applicable(
    trainer: Trainer, only: Sequence[str] = (), skip: Sequence[str] = ()
) -> tuple[Invariant, ...]:
    """Return the invariants to check: all of them for the project's own trainers.

    Another trainer need not be the network that ``network/*`` speaks of. Those are checked when
    ``only`` asks for them.

    Raises
    ------
    SymmetryError
        If a pattern matches no invariant, or nothing is left.
    """
    if not only and not trainer.builtin:
        only = ("symmetry/*",)
    return select(only, skip)


def require_sense(expected_failures: Mapping[str, str]) -> None:
    """See to it that failures are expected of invariants that there are, with reasons.

    Raises
    ------
    SymmetryError
        If not.
    """
    names = [invariant.name for invariant in CATALOGUE]
    for name, reason in expected_failures.items():
        if name not in names:
            raise SymmetryError(
                f"cannot expect a failure of {name!r}: there are {', '.join(names)}"
            )
        if not reason.strip():
            raise SymmetryError(f"an expected failure of {name} needs a reason")


def check(
    trainer: Trainer,
    invariants: Sequence[Invariant],
    cases: Sequence[Case],
    *,
    allow_rounding: bool = False,
    expected_failures: Mapping[str, str] | None = None,
    shrinking: bool = True,
    on_case: OnCase | None = None,
    on_verdict: Callable[[Verdict], None] | None = None,
) -> tuple[Verdict, ...]:
    """Check invariants of a trainer, one after the other, in every dtype of the cases.

    Parameters
    ----------
    trainer, invariants
        What is checked of whom.
    cases
        What they are checked on, all of them by each invariant, with the start it needs.
    allow_rounding
        Do not mind violations that the rounding of single steps explains.
    expected_failures
        Names of invariants that are known to be violated, each with the reason.
    shrinking
        Look for a smaller case when one fails.
    on_case
        Called before each case with the invariant, the dtype, the number of the case from 0, and
        how many there are.
    on_verdict
        Called with each verdict, as soon as those of one invariant are known.

    Returns
    -------
    tuple of Verdict
        One for each invariant and dtype, in this order.

    Raises
    ------
    SymmetryError
        If an expected failure is of no invariant there is, or lacks a reason.
    """
    expected_failures = expected_failures or {}
    require_sense(expected_failures)
    verdicts: list[Verdict] = []
    with one_thread():
        for invariant in invariants:
            examiner = _Examiner(trainer, invariant, allow_rounding, shrinking, on_case)
            found = [
                examiner.examine(dtype, [fit(case, invariant) for case in cases_of_dtype])
                for dtype, cases_of_dtype in _by_dtype(cases).items()
            ]
            settled = _settle(found, expected_failures.get(invariant.name))
            verdicts += settled
            for verdict in settled:
                if on_verdict:
                    on_verdict(verdict)
    return tuple(verdicts)


def fit(case: Case, invariant: Invariant) -> Case:
    """Return the case with a start that can have the invariant's witness.

    Sizes, data and seed stay, and so does the start where it can have it.
    """
    start = _start_of(case.weights)
    if start in invariant.weights:
        return case
    if "zero" in invariant.weights:
        return replace(case, weights="zero")
    if "random" in invariant.weights:
        return replace(case, weights="scaled")
    cloned = f"cloned-{case.weights}"
    return replace(case, weights=cloned if cloned in WEIGHTS else "cloned")


def _start_of(weights: str) -> Literal["zero", "cloned", "random"]:
    if weights == "zero":
        return "zero"
    return "cloned" if weights.startswith("cloned") else "random"


@dataclass(frozen=True)
class _Failure:
    """How an invariant failed in a case: it was violated, or the step did not work."""

    message: str
    finding: Finding | None = None
    explained: bool = False  # by the rounding of single steps; asked only where that is allowed

    @property
    def kind(self) -> Kind:
        if self.finding is None:
            return "error"
        return "rounding" if self.explained else "violated"


@dataclass
class _Tally:
    """What was seen in the cases so far."""

    cases: int = 0
    max_ulps: int = 0
    margin: float | None = None
    counting: list[Case] = field(default_factory=list)

    def add(self, case: Case, outcome: Finding | _Failure) -> None:
        finding = outcome.finding if isinstance(outcome, _Failure) else outcome
        self.cases += 1
        if finding is None:
            return
        self.max_ulps = max(self.max_ulps, finding.max_ulps)
        if finding.margin is not None:
            self.margin = max(self.margin or 0.0, finding.margin)
        if finding.counted:
            self.counting.append(case)

    @property
    def counted(self) -> int:
        return len(self.counting)

    @property
    def spans(self) -> tuple[Span, ...]:
        """Between which values the sizes and learning rates of the counting cases lie."""
        if not self.counting:
            return ()
        values = {key: [getattr(case, key) for case in self.counting] for key in _SPANS}
        return tuple(Span(key, min(seen), max(seen)) for key, seen in values.items())


@dataclass(frozen=True)
class _Examiner:
    """One invariant put to one trainer."""

    trainer: Trainer
    invariant: Invariant
    allow_rounding: bool
    shrinking: bool
    on_case: OnCase | None

    def examine(self, dtype: str, cases: Sequence[Case]) -> Verdict:
        """Run the cases until one fails. Rounding that is allowed must not hide anything worse."""
        if dtype not in self.trainer.dtypes:
            message = f"the trainer takes {' and '.join(self.trainer.dtypes)} only"
            return Verdict(self.invariant.name, dtype, "not applicable", message=message)
        tally, tolerated = _Tally(), None
        for number, case in enumerate(cases):
            if self.on_case:
                self.on_case(self.invariant, dtype, number, len(cases))
            outcome = self._measure(_problem(case))
            tally.add(case, outcome)
            if not isinstance(outcome, _Failure):
                continue
            if outcome.kind != "rounding":
                return self._failed(case, outcome, tally)
            tolerated = tolerated or (case, outcome)
        if tolerated:
            return self._failed(*tolerated, tally)
        return self._passed(dtype, tally)

    def _measure(self, problem: TwoLayer) -> Finding | _Failure:
        try:
            finding = self.invariant.measure(self.trainer, problem)
        except TrainerError as error:
            return _Failure(str(error))
        if finding.violation is None:
            return finding
        explained = self.allow_rounding and self._explained(problem)
        return _Failure(finding.violation.message, finding, explained)

    def _explained(self, problem: TwoLayer) -> bool:
        if self.invariant.rounding is None:
            return False
        try:
            return self.invariant.rounding(self.trainer, problem).explains
        except TrainerError:
            return False

    def _failed(self, case: Case, failure: _Failure, tally: _Tally) -> Verdict:
        """Describe a failure by the smallest case that fails in the same way."""
        if self.shrinking:
            case, failure = self._shrunk(case, failure)
        again = [self._fails_alike(recipes.problem(case), failure) for _ in range(_RERUNS)]
        finding = failure.finding
        return Verdict(
            self.invariant.name,
            case.dtype,
            failure.kind,
            tally.cases,
            tally.counted,
            max_ulps=finding.max_ulps if finding else None,
            margin=finding.margin if finding else None,
            spans=tally.spans,
            case=case,
            violation=self._elaborated(case, finding),
            message=failure.message,
            failures=sum(map(bool, again)),
            reruns=_RERUNS,
        )

    def _shrunk(self, case: Case, failure: _Failure) -> tuple[Case, _Failure]:
        """Cut the run after the iteration that failed, then try everything else."""

        def fails(candidate: Case) -> _Failure | None:
            return self._fails_alike(_problem(candidate), failure)

        if failure.finding and failure.finding.violation:
            shorter = replace(case, iterations=failure.finding.violation.iteration)
            if found := fails(shorter):
                case, failure = shorter, found
        return shrink(case, failure, fails)

    def _fails_alike(self, problem: TwoLayer, failure: _Failure) -> _Failure | None:
        outcome = self._measure(problem)
        if isinstance(outcome, _Failure) and outcome.kind == failure.kind:
            return outcome
        return None

    def _elaborated(self, case: Case, finding: Finding | None) -> Violation | None:
        if finding is None or finding.violation is None:
            return None
        try:
            return self.invariant.elaborate(self.trainer, _problem(case), finding.violation)
        except TrainerError:  # in one of the further iterations that show the growth
            return finding.violation

    def _passed(self, dtype: str, tally: _Tally) -> Verdict:
        counted = tally.counted > 0
        return Verdict(
            self.invariant.name,
            dtype,
            "holds" if counted else "vacuous",
            tally.cases,
            tally.counted,
            max_ulps=tally.max_ulps,
            margin=tally.margin,
            spans=tally.spans,
            message="" if counted else f"no case had what it takes: {self.invariant.witness}",
        )


def _by_dtype(cases: Sequence[Case]) -> dict[str, list[Case]]:
    """Sort the cases by dtype, the dtypes in the order of their first cases."""
    sorted_cases: dict[str, list[Case]] = {}
    for case in cases:
        sorted_cases.setdefault(case.dtype, []).append(case)
    return sorted_cases


def _settle(verdicts: list[Verdict], reason: str | None) -> list[Verdict]:
    """Apply the expectation that an invariant fails to its verdicts in all dtypes.

    It is met by a violation in any of them. It says nothing of steps that do not work.
    """
    if reason is None:
        return verdicts
    failed = any(verdict.kind in ("violated", "rounding") for verdict in verdicts)
    return [_expect(verdict, reason, failed) for verdict in verdicts]


def _expect(verdict: Verdict, reason: str, failed: bool) -> Verdict:
    if verdict.kind in ("violated", "rounding"):
        return replace(verdict, kind="expected failure", reason=reason)
    stale = not failed and verdict.kind in ("holds", "vacuous")
    return replace(verdict, reason=reason, stale=stale)
