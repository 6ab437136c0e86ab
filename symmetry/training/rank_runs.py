"""Runs of a training on several ranks: what each rank holds, loads and draws.

All are taken before anything else, in processes of their own, and end after a few updates. Then the
training is checked as one rank.

Numbers are gathered from all ranks, so that all take the same steps in a search. A search takes
steps as long as its numbers allow it. Each rank has its own batches, so by its own numbers it would
take more steps than another one, and wait for it for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from symmetry.base import ranks
from symmetry.base.errors import Failure
from symmetry.law.judge import LARGEST_RESPONSE, ratio
from symmetry.observe.source_line import SourceLine
from symmetry.training.capabilities.platform import Replicated
from symmetry.training.events import Epochs
from symmetry.training.run import Run
from symmetry.units.state import Array, difference, largest

Gathering = Callable[[Any], list[Any]]  # from what this rank has found to what each of them has


def by_itself(mine: Any) -> list[Any]:
    """Return what a process has found that is the only rank."""
    return [mine]


def gathering(run: Run) -> Gathering:
    """Return the function that gathers from all ranks of a run."""
    replicated = run.capability(Replicated) if ranks.world() > 1 else None
    return by_itself if replicated is None else replicated.gathered


_EPS = float(np.finfo(np.float32).eps)  # ranks run as they are written


@dataclass(frozen=True)
class Draw:
    """Random numbers that a line of the user's code draws for a batch."""

    line: SourceLine
    digest: str  # of the numbers


@dataclass(frozen=True, kw_only=True)
class RankRun:
    """The run of one rank."""

    parameters: tuple[Mapping[str, str], ...]  # digests of copies: at first, and after each step
    # Those that optimisers hold, in their order, and their names without the model and wrappers.
    trained: Mapping[str, str]
    loaded: tuple[str, ...]  # digests of the batches, in the order in which loaders give them
    rows: tuple[int, ...]  # how many samples each of these has
    draws: tuple[Draw, ...]
    replicates: bool  # whether a module averages gradients over ranks
    gathers: bool  # whether the first update gathers values of samples from all ranks
    inputs: str  # a digest of the arguments of the first call of a model
    backwards: int  # before the first update
    gradients: Mapping[str, Array]  # that the first update takes, whole


@dataclass(frozen=True)
class RankRuns:
    """The runs of a training on several ranks."""

    # A run of each rank, as the training is written; none if it fails there, or has no group.
    each: tuple[RankRun, ...] = ()
    failure: Failure | None = None  # of a plain run of all ranks, with the lines of each
    # The run of the first of several ranks that are all given the same batches.
    together: RankRun | None = None
    alone: RankRun | None = None  # the run of one rank that is given these batches
    # The gradients of runs of that rank in which each operation is rounded in another way; none if
    # those of several ranks do not differ from its own by more than a few ulps.
    rounded: tuple[Mapping[str, Array], ...] = ()
    epochs: tuple[Epochs, ...] = ()  # what each rank does over whole epochs
    no_epochs: str = ""  # why that is not there
    why: str = ""  # why ``together`` and ``alone`` are not there; empty if they are

    @property
    def why_not_observed(self) -> str:
        """Say why there are no runs to compare; nothing if there are."""
        if self.failure is not None:
            return "it fails on its ranks"
        return "" if self.each else "the script does not use its ranks"

    @property
    def copies(self) -> list[list[Mapping[str, str]]]:
        """Digests of the parameters that all ranks hold, of each rank at first and after each step.

        They have the names of the first rank. Another one may have other names for the same: one
        rank holds an average of the weights as well, and so a model that contains the other.
        """
        first, copies = self.each[0], []
        for run in self.each:
            names = {name: name for name in run.parameters[0]}
            if names.keys() != first.parameters[0].keys():
                pairs = zip(run.trained.items(), first.trained.items(), strict=False)
                names |= {own: name for (own, a), (name, b) in pairs if _is_one(a, b)}
            copies.append([{names[n]: d for n, d in step.items()} for step in run.parameters])
        held = [name for name in copies[0][0] if all(name in steps[0] for steps in copies)]
        return [[{name: step[name] for name in held} for step in steps] for steps in copies]

    @property
    def world(self) -> int:
        """The number of ranks."""
        return len(self.each)

    @property
    def ratios(self) -> Mapping[str, float]:
        """By how many responses gradients of several ranks differ from those of one.

        These are the gradients that both have, and that rounding moves by less than 1 %.
        """
        if self.together is None or self.alone is None:
            return {}
        found: dict[str, float] = {}
        for name, array in self.alone.gradients.items():
            size, other = largest(array), self.together.gradients.get(name)
            gaps = (difference(array, each.get(name)) for each in self.rounded)
            moved = max(_EPS * size, *gaps, 0.0)
            if other is not None and moved <= LARGEST_RESPONSE * max(size, largest(other)):
                found[name] = ratio(difference(array, other), moved)
        return found

    @property
    def loads_the_same(self) -> bool:
        """Whether all ranks are given the same batches by their loaders."""
        return len({run.loaded for run in self.each}) == 1


def _is_one(a: str, b: str) -> bool:
    """Return whether two names may be of one parameter, in one module or in a larger one."""
    short, long = sorted(("." + a, "." + b), key=len)
    return long.endswith(short)
