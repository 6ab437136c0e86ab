"""Gathering numbers from all ranks, so that all take the same steps in a search.

A search takes steps as long as its numbers allow it. Each rank has its own batches, so by its own
numbers it would take more steps than another one, and wait for it for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from symmetry.base import ranks
from symmetry.training.capabilities.replicated import Replicated
from symmetry.training.run import Run

Gathering = Callable[[Any], list[Any]]  # from what this rank has found to what each of them has


def by_itself(mine: Any) -> list[Any]:
    """Return what a process has found that is the only rank."""
    return [mine]


def gathering(run: Run) -> Gathering:
    """Return the function that gathers from all ranks of a run."""
    replicated = run.capability(Replicated) if ranks.world() > 1 else None
    return by_itself if replicated is None else replicated.gathered
