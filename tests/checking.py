"""Checking invariants of a step on given cases, without choosing either by name or number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from symmetry.checker.plan import Plan
from symmetry.checker.steps import Progress
from symmetry.checker.verdict import Verdict
from symmetry.steps.case import Case
from symmetry.steps.step import StepTarget


def check(
    trainer: StepTarget,
    invariants: Sequence[Any],
    cases: Sequence[Case],
    *,
    exact: bool = False,
    expected_failures: Mapping[str, str] | None = None,
    shrinking: bool = True,
    min_samples: int = 1,
    progress: Progress | None = None,
) -> tuple[Verdict, ...]:
    """Return the verdicts; cases that were not given are shrunk."""
    plan = Plan(trainer, exact=exact, examples=1, min_samples=min_samples)
    plan.invariants, plan.cases, plan.given = tuple(invariants), tuple(cases), not shrinking
    plan.expected_failures = expected_failures
    return plan.run(progress).verdicts
