"""The setting of a PyTorch training: its start in one dtype, runs from it, and their response."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from symmetry.base.errors import TrainingError
from symmetry.base.random import Random
from symmetry.trainings.following import following, frozen_copies, mark
from symmetry.trainings.run import Run
from symmetry.trainings.training import TrainingTarget
from symmetry.units.state import Array, State, identical
from symmetry.units.units import Units

THRESHOLDS = {"float32": 30.0, "float64": 1000.0}
JUDGED = 2  # steps: a bug on odd steps shows, and chaos has no time to grow
DRAWS, MORE_DRAWS = 4, 12  # of the response, before and after a suspicion
POWER = 0.01  # of its largest entry; an array that one ulp moves by more is not judged

_NUDGES = 111  # stream of the seed

States = list[dict[str, Array]]


class Fresh(NamedTuple):
    """What is known of fresh objects and their first steps."""

    state: State  # before the first step
    states: States  # after each of the steps that are judged: the bits that every run must have
    precision: Mapping[str, float]  # the eps of each array
    trained: frozenset[str]  # the parameters that are trained
    size: int  # bytes of a state after the steps
    on_gpu: bool  # which may add in another order each time


@dataclass(eq=False)
class TrainingStart:
    """One start of a training in one dtype, the runs from it, and what is known from them."""

    training: TrainingTarget
    dtype: str  # "float32": as written; "float64": promoted
    seed: int = 0  # of the training's random numbers, and of all choices made here
    steps: int = 4  # that the runs of training/* take
    changed: State = field(default_factory=dict)  # of the start: not as the training makes it
    # The groups, with their parts in the model's own arrays, once they are found.
    model_units: tuple[Units, ...] = ()
    # Names and places of the random operations inside modules, once ``result`` is known.
    random: tuple[tuple[str, str], ...] = ()
    # Where a step draws noise without which it was judged; the same for all settings made of one.
    noise: dict[str, None] = field(default_factory=dict)
    # The numbers of fixed tensors that its runs read as the same along these axes, or as zero.
    levelled: Mapping[int, Sequence[int]] = field(default_factory=dict)
    _response: list[dict[str, float]] = field(default_factory=list)
    _draws: int = 0

    @property
    def threshold(self) -> float:
        """How many responses a sound training may deviate by."""
        return THRESHOLDS[self.dtype]

    def at(self, changed: State) -> TrainingStart:
        """Return the same setting from a start in which these arrays are different."""
        # A first guess is dear enough to be shared; a suspicion adds draws of its own.
        response = [dict(step) for step in self.response()]
        other = replace(self, changed=changed, _response=response)
        other.fresh, other.units = self.fresh, self.units
        return other

    def levelling(self, fixed: Mapping[int, Sequence[int]]) -> TrainingStart:
        """Return the same setting with these fixed tensors levelled."""
        other = replace(self, levelled=fixed, _response=[], _draws=0)
        other.fresh = self.fresh
        return other

    @cached_property
    def fresh(self) -> Fresh:
        """What is known of fresh objects, after their first steps.

        That a step raises, a loss is not finite, or there is neither a loss nor a change, is a
        ``TrainingError``.
        """
        run = self.training.start(dtype=self.dtype, seed=self.seed)
        start, precision, states, losses = run.state(), run.precision(), [], []
        for state in run.states(JUDGED):
            losses.append(run.loss)
            states.append(state)
            for name in sorted(run.parameters.keys() & start.keys()):
                if state[name].shape != start[name].shape:
                    raise TrainingError(
                        f"{name} has the shape {start[name].shape} at the start and "
                        f"{state[name].shape} after step {run.taken - 1}: what grows is not checked"
                    )
            if run.loss is not None and not math.isfinite(run.loss):
                raise TrainingError(f"the loss of step {run.taken - 1} is {run.loss}")
        if losses == [None] * JUDGED and not has_moved(start, states[-1:]):
            raise TrainingError(
                "its steps call no backward(), return no loss and change nothing: a step that "
                "does without backward() returns its loss"
            )
        size = sum(array.nbytes for array in states[-1].values())
        return Fresh(start, states, precision, run.trained, size, run.on_gpu)

    @cached_property
    def start(self) -> State:
        """The state before the first step."""
        return {**self.fresh.state, **self.changed}

    @cached_property
    def result(self) -> States:
        """The states after the steps that are judged, without the model's random operations."""
        if self.changed or self.levelled:
            return list(self.begin().states(JUDGED))
        run = self.begin(noise=False)
        states = list(run.states(JUDGED))
        self.random = tuple(run.random)
        # Else the first run is the same; and what torch.compile has made runs only outside of the
        # modes that look for random numbers.
        return states if self.random else self.fresh.states or list(self.begin().states(JUDGED))

    def let_go(self) -> None:
        """Let go of the states of runs: only the law compares them, and a model may be large."""
        self.fresh = self.fresh._replace(states=[])
        self.__dict__.pop("result", None)

    @cached_property
    def units(self) -> tuple[Units, ...]:
        """The groups, with parts in everything that follows the model's arrays."""
        copies = frozen_copies(self.start, self.fresh.trained)
        return following(self.model_units, {**self.start, **self.result[-1]}, copies)

    @cached_property
    def replicas(self) -> Mapping[str, object]:
        """How each group begins, by its name, if all of them begin as copies of others do.

        Replicas of one model are updated together, and stay copies only as a whole.
        """
        found = {
            units.name: tuple(
                (mark(self.start[p.array]), replace(p, array="", arrays=()))
                for p in units.parts
                if p.array in self.fresh.trained
            )
            for units in self.units
        }
        return found if min(Counter(found.values()).values(), default=0) > 1 else {}

    @cached_property
    def peers(self) -> Mapping[str, tuple[str, ...]]:
        """The arrays that each array may be exchanged with: it responds as much as any of them."""
        parts = [part for units in self.units for part in units.parts]
        return {name: part.arrays for part in parts for name in part.arrays}

    @cached_property
    def scale(self) -> Mapping[str, float]:
        """The largest entry of each array, before or after the steps."""
        scale: dict[str, float] = {}
        for state in (self.start, *self.result):
            for name, array in state.items():
                scale[name] = max(scale.get(name, 0.0), largest(array))
        return scale

    def begin(self, changed: State | None = None, *, noise: bool | None = None) -> Run:
        """Begin a fresh run from the start, in which these arrays are changed.

        ``noise`` says whether the model's random operations stay as they are; by default they do
        where there are none: then the run as written passes through no modes.
        """
        noise = not self.random and self.dtype == "float32" if noise is None else noise
        run = self.training.start(dtype=self.dtype, seed=self.seed, noise=noise)
        run.load({**self.changed, **(changed or {})})
        if self.levelled:
            run.level(self.levelled)
        return run

    def response(self, draws: int = DRAWS) -> list[dict[str, float]]:
        """Return by step how far about one ulp in the parameters moves each array, at the most.

        It is infinite where that leads to numbers that are not finite.
        """
        if not self._response:
            eps = float(np.finfo(self.dtype).eps)
            self._response = [{n: eps * self.scale[n] for n in state} for state in self.result]
        for draw in range(self._draws, draws):
            run = self.begin(self.nearby(draw))
            if draws > DRAWS:
                run.nudge_by(draw)  # results in 16 bits, too
            states = run.states(JUDGED, copy=False)
            for response, state, other in zip(self._response, self.result, states, strict=True):
                for name, array in state.items():
                    change = difference(array, other[name]) if name in other else math.nan
                    response[name] = max(response[name], change) if change == change else math.inf
        self._draws = max(self._draws, draws)
        return self._response

    def nearby(self, draw: int) -> State:
        """Return parameters moved by up to one ulp and eps of the largest entry, by number."""
        random = Random(self.seed, _NUDGES, draw)
        changed: dict[str, Array] = {}
        for name, array in self.start.items():
            if name in self.fresh.trained:
                eps, size = self.fresh.precision[name], largest(array) or self.scale[name]
                shift = random.uniform(array.shape, -1.0, 1.0)
                shift *= abs(array) + size
                shift *= eps
                shift += array
                changed[name] = shift.astype(array.dtype)
        return changed


def difference(a: Array, b: Array) -> float:
    """Return the largest absolute difference; NaN if a number is not finite."""
    if a.shape != b.shape:
        return math.nan
    with np.errstate(all="ignore"):
        gap = np.asarray(np.subtract(a, b))  # of numbers that are close this is exact
        return largest(gap)


def has_moved(start: State, states: Iterable[State]) -> bool:
    """Return whether any of these states has other bits in an array of the start."""
    return not all(
        identical({name: array for name, array in state.items() if name in start}, start)
        for state in states
    )


def largest(array: Array) -> float:
    """Return the largest magnitude of an entry."""
    with np.errstate(all="ignore"):
        return max(float(array.max(initial=0.0)), -float(array.min(initial=0.0)))
