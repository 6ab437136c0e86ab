"""Steps up to their losses, from any start, in float64 and without noise."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

from symmetry.base.errors import TrainingError
from symmetry.training.agreement import Gathering, by_itself, gathering
from symmetry.training.capabilities.batching import FewSamples
from symmetry.training.capabilities.observing import Rehearsing, Tracing
from symmetry.training.run import Run, RunSettings, needed
from symmetry.training.target import Result, Training
from symmetry.training.trace import weights
from symmetry.units.state import Array, State

STEPS = 2  # a group has to hold on their batches: those that the invariants of units visit
PROMOTED = RunSettings(dtype="float64", noise=False)


class Manner(NamedTuple):
    """How a step is taken without backward."""

    # The number that the gradients are filled with: a step may need some, or divide by them.
    gradient: float | None
    whole: bool  # whether the step goes on after its last loss: the next step may need its results


_MANNERS = Manner(None, False), Manner(0.0, False), Manner(1e-3, False), Manner(1e-3, True)
_WHOLE_MANNERS = Manner(None, True), Manner(0.0, True), Manner(1e-3, True)


@dataclass(frozen=True)
class StepResults:
    """The losses of the steps from one start, and the buffers after each step."""

    losses: list[float]
    buffers: list[dict[str, Array]]

    @property
    def finite(self) -> bool:
        """Whether all losses are numbers."""
        return all(map(math.isfinite, self.losses))


def largest_difference(one: StepResults, other: StepResults) -> float:
    """Return the largest relative difference of losses, over the steps that both have."""
    pairs = zip(one.losses, other.losses, strict=False)
    return max((abs(a - b) / (abs(a) + 1e-300) for a, b in pairs), default=0.0)


Until = Callable[[StepResults], bool]  # whether no more steps are needed


@dataclass(frozen=True)
class LossSteps:
    """Takes the first steps of a training from any start, without backward."""

    training: Training
    # How many calls of backward, and of functions that return gradients, each step makes: where its
    # last loss is.
    ends: Sequence[tuple[int, int]]
    manner: Manner = _MANNERS[0]  # how a step is taken
    buffers: tuple[str, ...] = ()  # the names of the model's buffers
    gathering: Gathering = by_itself  # from all ranks
    few: FewSamples | None = None  # how many samples of each batch are kept; None for all
    dear: bool = False  # whether they take longer than a start: then few samples save time
    settings: RunSettings = PROMOTED  # of its runs

    def run(self, start: State) -> Run:
        """Begin a run from a start."""
        run = self.training.begin(self._settings)
        run.load(start)
        return run

    def with_run(self, function: Callable[[Run], Result], start: State) -> Result:
        """Return what a function returns, called with a run; see ``Training.with_run``."""

        def called(run: Run) -> Result:
            run.load(start)
            return function(run)

        return self.training.with_run(called, self._settings)

    @property
    def _settings(self) -> RunSettings:
        return replace(self.settings, order=self.few)

    def step(self, run: Run) -> None:
        """Take the next step of a run."""
        ends, manner = self.ends[run.taken], self.manner
        needed(run, Rehearsing).rehearse(*ends, manner.gradient, whole=manner.whole)

    def take(self, start: State, until: Until = lambda _: False) -> StepResults:
        """Take the steps from a start, until their results suffice."""
        return self.with_run(partial(self.finish, until=until), start)

    def finish(self, run: Run, until: Until = lambda _: False) -> StepResults:
        """Take the steps of a run that has begun, until their results suffice; close it.

        Raises
        ------
        TrainingError
            If a step raises, or has no loss.
        """
        results = StepResults([], [])
        while len(results.losses) < STEPS and not until(results):
            self.step(run)
            sums = [*chain.from_iterable(self.gathering(needed(run, Rehearsing).loss_sums()))]
            if not sums and not self._pauses(run.taken - 1):
                raise TrainingError(
                    f"{self.training.name}: step({run.taken - 1}) neither computes "
                    "gradients nor returns its loss"
                )
            results.losses.append(
                sum(loss * w for loss, w in zip(sums, weights(len(sums)), strict=True))
            )
            results.buffers.append(needed(run, Tracing).leaves(self.buffers))
        run.close()
        return results

    def agreed(self, mine: Any) -> Any:
        """Return what the first rank has found, on all of them."""
        return self.gathering(mine)[0]

    def _pauses(self, number: int) -> bool:
        """Return whether a step has no loss of its own, while others have losses."""
        return not any(self.ends[number]) and any(map(any, self.ends))


def begin_steps(
    training: Training, ends: Sequence[tuple[int, int]], settings: RunSettings = PROMOTED
) -> tuple[LossSteps, Run, State, StepResults]:
    """Find a manner in which the steps can be taken, by taking them from the training's start.

    Return it with the run, the start and the results.

    Raises
    ------
    TrainingError
        If no manner can be used.
    """
    manners = _WHOLE_MANNERS if training.sequential else _MANNERS
    for manner in manners:
        began = time.process_time()
        run = training.begin(settings)
        begun = time.process_time()
        start = needed(run, Tracing).leaves()
        buffers = tuple(name for name in start if name not in run.parameters)
        gathered = gathering(run)
        steps = LossSteps(training, ends, manner, buffers, gathered, settings=settings)
        try:
            results = steps.finish(run)
        except TrainingError:
            if manner == manners[-1]:
                raise
        else:
            if results.finite:
                break
    steps = replace(steps, dear=time.process_time() - begun > begun - began)
    return steps, run, start, results
