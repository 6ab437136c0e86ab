"""Checking a target as a plan of some options, or on given invariants and cases of a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from symmetry.checker.plan import Options, Plan, make_plan
from symmetry.checker.progress import Progress
from symmetry.checker.run import run
from symmetry.checker.verdict import Checked, Verdict
from symmetry.invariants.catalogue import Invariant
from symmetry.law.case import Case
from symmetry.steps.step import StepTarget
from symmetry.training.target import FunctionTraining


def plan_of(target: StepTarget | FunctionTraining, **options: Any) -> Plan:
    """Return the plan for a target."""
    return make_plan(target, Options(**options))


def check_target(target: StepTarget | FunctionTraining, **options: Any) -> Checked:
    """Return what a check of a target came to."""
    return run(plan_of(target, **options))


def check(
    target: StepTarget,
    invariants: Sequence[Invariant],
    cases: Sequence[Case],
    *,
    exact: bool = False,
    expected_failures: Mapping[str, str] | None = None,
    shrinking: bool = True,
    min_samples: int = 1,
    progress: Progress | None = None,
) -> tuple[Verdict, ...]:
    """Return the verdicts on given invariants and cases; cases that were not given are shrunk."""
    asked = Options(
        exact=exact,
        examples=1,
        min_samples=min_samples,
        expected_failures=expected_failures,
        cases=None if shrinking else cases,
    )
    plan = make_plan(target, asked)
    plan = replace(plan, invariants=tuple(invariants), cases=tuple(cases))
    return run(plan, progress).verdicts
