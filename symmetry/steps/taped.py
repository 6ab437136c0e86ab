"""Watching a two-layer step from one start."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from symmetry.explanation.starts import TapedStart
from symmetry.observe.source_line import SourceLines
from symmetry.observe.tape import Tape
from symmetry.steps.observe.numpy import observed
from symmetry.steps.observe.running import observing, seeded
from symmetry.steps.start import StepStart
from symmetry.steps.step import TwoLayerRun, TwoLayerStep
from symmetry.units.state import Array, State
from symmetry.units.units import Part

# As many responses as the law allows a step, but at least this many: the law takes the largest of
# 18 perturbed runs, and here one perturbed run shows how far rounding moves an array.
_LEAST_LIMIT = 32.0
_ORDER = "the order of the data"  # a name that no array of a step has
_MOVED = {  # arrays of the data, each with the axis along which its units lie
    "samples": (("x", 0), ("y", 0)),
    "inputs": (("x", 1),),
    "classes": (("y", 1),),
}
_NOT_TAKEN = (
    "the step does not take a subclass of NumPy's arrays, "
    "so what it does with NumPy was observed only where it makes arrays itself"
)


def with_data(target: TwoLayerStep, start: StepStart, kind: str) -> TapedStep:
    """Return a step whose units are its samples, inputs or classes.

    The order of the data is part of its state, so that the data themselves stay what they are.
    """
    watched = TapedStep(target, start)
    units = start.units(kind)
    own = [part for part in units.parts if part.array in watched.state]
    watched.groups = (replace(units, parts=(Part(_ORDER, axis=0), *own)),)
    watched.state = {**watched.state, _ORDER: np.arange(units.count)}
    return watched


class TapedStep(TapedStart):
    """A step ``step(x, y, w1, w2, lr)`` from one start."""

    can_end = True

    def __init__(self, target: TwoLayerStep, start: StepStart) -> None:
        self.name, self.state = target.name, {"w1": start.w1, "w2": start.w2}
        self.groups, self.limit = (start.hidden_units,), max(_LEAST_LIMIT, start.limit)
        self.forgets = not isinstance(target.target, type)  # a class may keep a state of its own
        self._target, self._two_layer = target, start
        self._hand: Callable[[Array], Array] = observed  # makes what a watched step is given

    def states(self, start: State, steps: int, tape: Tape | None = None) -> Iterator[State]:
        """Yield the weights after each step."""
        function, hand = self._target.target, np.asarray if tape is None else self._hand
        watching = (
            nullcontext if tape is None else partial(observing, tape, function, SourceLines())
        )

        def step(x: Array, y: Array, w1: Array, w2: Array, lr: float) -> Any:
            with watching():
                return run.step(hand(x), hand(y), hand(w1), hand(w2), lr)

        with seeded(function):
            with watching():
                run = self._target.start()
            here = self._two_layer.at(self._placed(start))
            for _ in range(steps):
                weights = here.step(TwoLayerRun(step))
                yield weights
                here = here.at(weights)

    def _placed(self, start: State) -> State:
        """Return the weights of a start, and the data in the order that it has, if it has one."""
        arrays = {name: array for name, array in start.items() if name != _ORDER}
        if _ORDER in start:
            data, (units,) = self._two_layer.state, self.groups
            arrays |= {n: data[n].take(start[_ORDER], axis) for n, axis in _MOVED[units.name]}
        return arrays

    def otherwise(self) -> TapedStart | None:
        """Return the step given arrays that do not report, if it was given others."""
        if self._hand is np.asarray:
            return None
        plain = copy.copy(self)
        plain._hand, plain.remarks = np.asarray, (_NOT_TAKEN,)
        return plain

    def scale(self, array: str) -> float:
        """Return what gives pre-activations and logits of order 1."""
        x = self._two_layer.x.astype(np.float64)
        squares = float(np.mean(np.einsum("ni,ni->n", x, x)))
        return 1 / float(np.sqrt(1 + squares)) if array == "w1" else 1.0
