"""A family of trainings, one for each set of arguments: a function or a script with parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from symmetry.targets.sizes.arguments import Arguments
from symmetry.targets.training import TrainingTarget

if TYPE_CHECKING:
    from symmetry.targets.sizes.space import Space


@dataclass(frozen=True)
class Family:
    """Trainings that differ in their arguments."""

    name: str  # as the user typed it, or ``module:attribute`` of a callable
    strategies: Mapping[str, Any]  # what Hypothesis draws each argument from
    member: Callable[[Arguments], TrainingTarget]  # returns the training with some arguments

    def space(self, seed: int) -> Space:
        """Return the arguments that its trainings may have."""
        from symmetry.targets.sizes.space import Space  # it imports Hypothesis

        return Space(self.strategies, seed)
