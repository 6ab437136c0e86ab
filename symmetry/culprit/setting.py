"""What is explained: a target with its state, its units, and a way to run and to watch it."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import cached_property, partial
from typing import Any

import numpy as np

from symmetry.base.errors import TargetError
from symmetry.observe.numpy import observed
from symmetry.observe.place import Places
from symmetry.observe.running import observing, seeded
from symmetry.observe.tape import Tape
from symmetry.steps.start import StepStart
from symmetry.steps.step import Run, StepTarget
from symmetry.units.state import Array, State
from symmetry.units.units import Units


class Setting(ABC):
    """A target, from one start."""

    name: str  # what the user calls it
    start: State  # before the first step; units are equal in it
    units: Sequence[Units]  # the groups of units
    limit: float  # how many times its response to one ulp an array may move by rounding
    coarse = 0.0  # so close, of the largest entry, are units that count as equal; 0: equal bits do
    forgets = False  # whether its runs keep nothing but the state, so that one may go on anywhere
    remarks: list[str]  # what else a reader should know about the observation

    @abstractmethod
    def states(self, start: State, steps: int, tape: Tape | None = None) -> Iterator[State]:
        """Yield the state after each step of a fresh run; a tape observes its operations."""

    def last(self, start: State, steps: int, tape: Tape | None = None) -> State:
        """Return the state after so many steps of a fresh run."""
        return deque(self.states(start, steps, tape), maxlen=1)[0]

    def at(self, start: State) -> Setting:
        """Return the same setting from another start."""
        there = copy.copy(self)
        there.start = start
        return there

    def scale(self, array: str) -> float:  # noqa: ARG002
        """Return how large the entries of an array usually are."""
        return 0.1

    def named(self, array: Array, memory: int) -> tuple[str, str]:  # noqa: ARG002
        """Return what an array of the watched run is to the user, and which rows it holds of that.

        Both are empty if it is nothing that the user has named, the second one if it holds all.
        """
        return "", ""


class WatchedStep(Setting):
    """A step ``step(x, y, w1, w2, lr)`` from one start."""

    def __init__(self, trainer: StepTarget, start: StepStart) -> None:
        self.name = trainer.name
        self.remarks: list[str] = []
        self.start: State = {"w1": start.w1, "w2": start.w2}
        self.units: Sequence[Units] = (start.hidden_units,)
        self.limit = max(32.0, start.limit)
        self.forgets = not isinstance(trainer.target, type)  # a class may keep a state of its own
        self._trainer, self._two_layer = trainer, start

    def states(self, start: State, steps: int, tape: Tape | None = None) -> Iterator[State]:
        """Yield the weights after each step."""
        return self._states(start, steps, tape, np.asarray if tape is None else self._hand)

    def _states(
        self, state: State, steps: int, tape: Tape | None, hand: Callable[[Array], Array]
    ) -> Iterator[State]:
        target = self._trainer.target
        watching = nullcontext if tape is None else partial(observing, tape, target, Places())

        def step(x: Array, y: Array, w1: Array, w2: Array, lr: float) -> Any:
            with watching():
                return run.step(hand(x), hand(y), hand(w1), hand(w2), lr)

        with seeded(target):
            with watching():
                run = self._trainer.start()
            for _ in range(steps):
                state = self._two_layer.at(state).step(Run(step))
                yield state

    def scale(self, array: str) -> float:
        """Return what gives pre-activations and logits of order 1."""
        x = self._two_layer.x.astype(np.float64)
        squares = float(np.mean(np.einsum("ni,ni->n", x, x)))
        return 1 / float(np.sqrt(1 + squares)) if array == "w1" else 1.0

    @cached_property
    def _hand(self) -> Callable[[Array], Array]:
        """What makes the array that the step is handed: one that reports, if the step takes it."""
        try:
            list(self._states(self.start, 1, Tape(lambda _: None), observed))
        except TargetError:
            self.remarks.append(
                "the step does not take a subclass of NumPy's arrays, "
                "so what it does with NumPy was observed only where it makes arrays itself"
            )
            return np.asarray
        return observed
