"""Measures the invariants of a plan on its target, and turns measurements into verdicts."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from symmetry.base.calls import running
from symmetry.base.processes import cpu_seconds
from symmetry.checker.plan import Plan
from symmetry.checker.progress import Progress
from symmetry.checker.verdict import Kind, TriedSizes, Verdict
from symmetry.finding.coverage import Coverage
from symmetry.law.invariant import Invariant
from symmetry.law.measurement import Measurement
from symmetry.training.run_facts import RunFacts


class Budget:
    """CPU seconds, of which only those inside of ``spending`` are counted.

        with budget.spending():
            ...                     a call of the target raises ``BudgetSpent`` once they are used

    Parameters
    ----------
    seconds
        How many there are; None for no limit.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self.left = math.inf if seconds is None else seconds

    @contextmanager
    def spending(self) -> Iterator[None]:
        """Count the CPU seconds of the block, whose calls end with those that are left."""
        began, outer = cpu_seconds(), running.limit
        running.limit = min(outer, began + self.left)
        try:
            yield
        finally:
            running.limit = outer
            self.left -= cpu_seconds() - began


class Examiner(ABC):
    """Puts invariants to one target, one after the other.

    A subclass says how for one kind of targets. Its constructor runs nothing: ``begin`` may.
    """

    coverage: Coverage | None = None  # of a training, once its units were found
    facts = RunFacts()  # what its runs have shown
    sizes: TriedSizes | None = None  # of trainings with drawn arguments, once they were run
    examples: int | None = None  # in each dtype; None for a target that nothing is drawn for

    def __init__(self, plan: Plan, progress: Progress) -> None:
        self.plan, self.progress = plan, progress
        self.invariants: Sequence[Invariant] = plan.invariants
        self.dtypes: Sequence[str] = plan.dtypes
        self.budget = Budget(plan.options.budget)

    def begin(self) -> None:  # noqa: B027
        """Run what has to be known before anything is examined: nothing, for most targets."""

    def planned(self) -> tuple[Verdict, ...]:
        """Return the verdicts to come, in their order: each says that it was not run."""
        return tuple(
            Verdict(invariant, dtype, "error", message="not run")
            for invariant in self.invariants
            for dtype in self.dtypes
        )

    def tasks(self, invariants: Iterable[Invariant]) -> Sequence[tuple[Invariant, str]]:
        """Return what is examined of these, one after the other."""
        return [(invariant, dtype) for invariant in invariants for dtype in self.dtypes]

    @abstractmethod
    def examine(self, invariant: Invariant, dtype: str) -> Verdict | None:
        """Return the verdict on an invariant in one dtype; None if there is nothing to report."""

    def end(self) -> None:  # noqa: B027
        """Give up what is left of runs: nothing, for most targets."""

    @abstractmethod
    def remarks(self, verdicts: Sequence[Verdict]) -> Sequence[str]:
        """Return conditions of the check, and causes of several verdicts, in lines."""


def verdict_of(blank: Verdict, measured: Measurement, *, runs: int, rounds: bool) -> Verdict:
    """Return the verdict on a measurement; ``rounds``: a violation in it is rounding."""
    violation = measured.violation
    kind: Kind = "holds" if measured.counted else "vacuous"
    if not measured.applies:
        kind = "not applicable"
    elif violation is not None:
        kind = "rounding" if rounds else "violated"
    message = violation.message if violation else measured.note
    if kind in ("vacuous", "not applicable"):
        message = message or f"it could not have failed: it needs {blank.about.witness}"
    return replace(
        blank,
        kind=kind,
        cases=runs if measured.applies else 0,
        counted=runs if measured.counted else 0,
        max_ulps=measured.max_ulps,
        margin=measured.margin,
        violation=violation,
        message=message,
        unproved=measured.unproved,
        own_error=measured.own_error,
        notes=measured.notes,
    )
