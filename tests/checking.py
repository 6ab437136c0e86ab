"""Checking invariants of a step on given cases, without choosing either by name or number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from symmetry.checker.case import Case
from symmetry.checker.check import Progress
from symmetry.checker.plan import STEPS, Plan
from symmetry.checker.verdict import Verdict
from symmetry.targets.trainer import DTYPES, Trainer


def check(
    trainer: Trainer,
    invariants: Sequence[Any],
    cases: Sequence[Case],
    *,
    exact: bool = False,
    expected_failures: Mapping[str, str] | None = None,
    shrinking: bool = True,
    min_samples: int = 1,
    progress: Progress | None = None,
) -> tuple[Verdict, ...]:
    """Return the verdicts; cases of a seed are shrunk."""
    seed, expected = 0 if shrinking else None, expected_failures or {}
    invariants, cases = tuple(invariants), tuple(cases)
    plan = Plan(
        trainer, invariants, DTYPES, seed, exact, expected, STEPS, cases, min_samples, notes=()
    )
    return plan.run(progress).verdicts
