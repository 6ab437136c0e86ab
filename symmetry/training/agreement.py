"""What ranks have found, gathered from all of them, so that they decide alike.

A search takes steps as long as its numbers say so. Ranks have other batches, so they would take
other numbers of steps, and wait for each other for ever.
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
