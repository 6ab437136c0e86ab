"""The catalogues of both wings, and invariants selected from them as tests need them."""

from __future__ import annotations

from collections.abc import Sequence

from symmetry.invariants.catalogue import CATALOGUE as TRAININGS
from symmetry.invariants.invariant import TrainingInvariant
from symmetry.law import invariant
from symmetry.steps.catalogue import CATALOGUE as STEPS
from symmetry.steps.catalogue import StepInvariant

__all__ = ["STEPS", "TRAININGS", "named", "select", "select_trainings"]


def select(only: Sequence[str] = (), skip: Sequence[str] = ()) -> tuple[StepInvariant, ...]:
    """Return invariants of two-layer steps by patterns."""
    return invariant.select(STEPS, only, skip)


def select_trainings(
    only: Sequence[str] = (), skip: Sequence[str] = ()
) -> tuple[TrainingInvariant, ...]:
    """Return invariants of trainings by patterns."""
    return invariant.select(TRAININGS, only, skip)


def named(name: str) -> invariant.Invariant:
    """Return the invariant of this name: that of two-layer steps, if both kinds have one."""
    return next(each for each in (*STEPS, *TRAININGS) if each.name == name)
