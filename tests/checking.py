"""Checking a target as a plan of some options, or on given invariants and cases of a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from symmetry.checker.options import Options
from symmetry.checker.plan import Plan, make_plan
from symmetry.checker.progress import Progress
from symmetry.checker.run import run
from symmetry.checker.verdict import Checked, Verdict
from symmetry.law.case import Case
from symmetry.law.invariant import Invariant
from symmetry.law.target import Target
from symmetry.steps.target import StepTarget
from symmetry.targets.training import TrainingTarget


def plan_of(target: Any, **options: Any) -> Plan:
    """Return the plan for a target, or for a training that is not yet one."""
    if not isinstance(target, Target):
        target = TrainingTarget(target)
    return make_plan(target, Options(**options))


def check_target(target: Any, **options: Any) -> Checked:
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
    progress: Progress | None = None,
) -> tuple[Verdict, ...]:
    """Return the verdicts on given invariants and cases; cases that were not given are shrunk."""
    asked = Options(
        exact=exact,
        examples=1,
        expected_failures=expected_failures or {},
        cases=None if shrinking else cases,
    )
    plan = make_plan(target, asked)
    plan = replace(plan, invariants=tuple(invariants), cases=tuple(cases))
    return run(plan, progress).verdicts
