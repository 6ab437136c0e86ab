"""The gradients that the updates of a run could have used."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations
from typing import Any

from symmetry.base.errors import TrainingError
from symmetry.training.capabilities.flowing import Cut, Undoing
from symmetry.training.capabilities.model import Creation, Differentiating, Optimizing
from symmetry.training.capabilities.step_events import StepEvents
from symmetry.training.observers import Observation, observed
from symmetry.training.run import Run, needed
from symmetry.training.start import TrainingStart
from symmetry.units.state import Array, difference, largest

_DRAWS = 3  # of the response of a gradient
_LATE = 3  # times as many steps, until each optimiser has stepped: a GAN's generator may be late


@dataclass
class RunGradients:
    """The gradients of a run that updates could have used."""

    # The first gradient of each parameter with an entry that is not zero.
    first: dict[str, Array] = field(default_factory=dict)
    # The parameters that had gradients of zeros alone when their optimiser stepped.
    zero: set[str] = field(default_factory=set)
    # The largest rate of each parameter that is held; 1 where an optimiser has no rate.
    rates: dict[str, float] = field(default_factory=dict)
    scheduled: bool = False  # whether something else than the optimiser's constructor sets a rate
    # Whether a backward left gradients in what is held, and one did so within an update.
    left: bool = False
    used: bool = False
    steps: int = 0  # how many steps were taken
    # Where each optimiser that stepped was made, and what it holds; none if one wraps another.
    stepped: dict[Creation, frozenset[str]] = field(default_factory=dict)
    wrapped: bool = False  # whether an optimiser stepped within the step of another one

    @property
    def twice(self) -> tuple[Creation, Creation] | None:
        """Where two optimisers were made that stepped and hold the same parameters."""
        pairs = combinations(sorted(self.stepped, key=lambda made: made.number), 2)
        return next((p for p in pairs if self.stepped[p[0]] == self.stepped[p[1]] != set()), None)

    @property
    def without_rate(self) -> bool:
        """Whether every rate was zero at every update."""
        return bool(self.rates) and not any(self.rates.values())

    def reach(self, held: frozenset[str]) -> bool:
        """Return whether an update found a gradient in what is held."""
        return not self.first.keys().isdisjoint(held)

    def lost(self, held: frozenset[str]) -> bool:
        """Return whether backwards left gradients in what is held, and no update found any."""
        return self.left and not self.used and not self.reach(held)


def current(run: Run) -> dict[str, Array]:
    """Return the gradients that there are now."""
    differentiating = run.capability(Differentiating)
    return {} if differentiating is None else differentiating.gradients()


def gradients_of(run: Run, steps: int) -> RunGradients:
    """Take steps, and see which gradients there are whenever an optimiser steps."""
    (found,) = observed(run, gradients_observed(run, steps))
    gradients: RunGradients = found
    return gradients


def gradients_observed(run: Run, steps: int) -> Observation[RunGradients]:
    """See which gradients there are whenever an optimiser steps.

    If one has not stepped by then, more steps are taken, as far as the training goes. The gradient
    of a parameter that is held counts when its own optimiser steps: others may leave gradients that
    are cleared before.
    """
    events, held = needed(run, StepEvents), needed(run, Optimizing).held
    found, updating = RunGradients(), False

    def see() -> None:
        gradients = current(run).items()
        found.left = found.left or any(g.any() for name, g in gradients if name in held)
        found.used = found.used or updating

    def end(_: Any) -> None:
        nonlocal updating
        updating = False

    def look(optimizer: Any) -> None:
        nonlocal updating
        own = optimizer.rates()
        found.wrapped = found.wrapped or updating
        if found.wrapped:
            found.stepped.clear()
        elif optimizer.creation.number:
            found.stepped[optimizer.creation] = frozenset(own)
        updating = True
        found.scheduled = found.scheduled or optimizer.scheduled
        for name, rate in own.items():
            found.rates[name] = max(found.rates.get(name, 0.0), 1.0 if rate is None else rate)
        for name, gradient in current(run).items():
            if name in own or name not in held:
                if gradient.any():
                    found.first.setdefault(name, gradient)
                else:
                    found.zero.add(name)

    with events.listening(before_update=look, after_update=end, after_backward=see):
        for _ in range(steps):
            yield
        found.steps = steps
        with suppress(TrainingError):  # a script ends
            while found.steps < _LATE * steps and not held <= found.rates.keys():
                yield
                found.steps += 1
    return found


def responses_of(gradients: Mapping[str, Array], start: TrainingStart) -> dict[str, float]:
    """Return how far each of these gradients moves if all is rounded in another way."""
    responses = dict.fromkeys(gradients, 0.0)
    for draw in range(_DRAWS if gradients else 0):
        taken = partial(_rounded_by, draw=draw, steps=start.steps)
        near = start.with_run(taken, start.nearby(draw), noise=True)
        for name, gradient in gradients.items():
            other = near.first.get(name)
            gap = largest(gradient) if other is None else difference(gradient, other)
            responses[name] = max(responses[name], gap)
    return responses


def gradients_without(start: TrainingStart, cut: Cut | None) -> dict[str, Array]:
    """Return the gradients of the first update, without an operation that cuts some of them off."""
    run, found, updates = start.begin(noise=True), dict[str, Array](), list[object]()
    differentiating, events = needed(run, Differentiating), needed(run, StepEvents)

    def after_backward() -> None:
        if not updates:
            found.update(differentiating.gradients())

    with (
        events.listening(after_backward=after_backward, before_update=updates.append),
        nullcontext() if cut is None else needed(run, Undoing).without(cut),
    ):
        run.step()
    run.close()
    return found


def _rounded_by(run: Run, draw: int, steps: int) -> RunGradients:
    run.round_by(draw)
    return gradients_of(run, steps)
