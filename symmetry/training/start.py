"""The start of a training in one precision: its state and units, and runs from it.

    TrainingStart      what invariants are measured on: the groups of units, and runs on request
      Origin           a state that runs begin from, and the unperturbed run from there
        FirstRuns      the runs from the training's own state: all origins of a training share them
          Baseline     what the first of these showed
      Response         how far perturbed runs from the origin end from the unperturbed one

``TrainingStart.at`` returns a start at another origin with the same first runs. A run is asked for
at the top, ``start.begin(noise=True)``, and its ``RunSettings`` go down from there as one value: to
the origin, the training and its framework.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from symmetry.base.randomness.random import Random
from symmetry.base.randomness.seedings import Seedings, changing, seedings
from symmetry.base.randomness.unseeded import SEEDS, Unseeded
from symmetry.law.judge import LARGEST_RESPONSE
from symmetry.law.start import Orders
from symmetry.training.baseline import JUDGED, Baseline, FirstRuns, States
from symmetry.training.capabilities.batching import Arrangement, Padding, Reordering
from symmetry.training.capabilities.rows import PackedCall
from symmetry.training.observers import Observer
from symmetry.training.optimizer_state import comparable, find_copies, mark, with_optimizer_state
from symmetry.training.origin import Origin
from symmetry.training.response import DRAWS, GLANCE, MORE_DRAWS, THRESHOLDS, Response
from symmetry.training.run import Run, RunSettings, needed
from symmetry.training.target import Result, Training
from symmetry.units.state import State, identical
from symmetry.units.units import Order, Units

ATTEMPTS = 3  # that all have to violate an invariant
LARGE = 1 << 26  # bytes of a state: the first runs have four

_ORDERS, _SAMPLES = 110, 112  # streams of the seed
_SMALL = LARGEST_RESPONSE / 10  # more draws enlarge a response by less
_TICK = 1.1  # seconds after which a clock that counts seconds has gone on


class TrainingStart:
    """A start of a training in one precision.

    It is a ``symmetry.law.start.Start``: what the methods of that name promise is said there.

    Attributes
    ----------
    target
        The training.
    dtype
        ``"float32"``: as written; ``"float64"``: promoted.
    seed
        The seed of the training's random numbers, and of all choices made here.
    steps
        How many steps the runs of training/* take.
    model_units
        The groups, with their parts in the model's own arrays, once they are found.
    left_out
        The arrays that are not judged.
    pins
        How many units some groups must have, by the beginnings of their names, beside those that
        the training names.
    """

    attempts = ATTEMPTS

    def __init__(
        self,
        target: Training,
        dtype: str,
        seed: int = 0,
        steps: int = 4,
        model_units: tuple[Units, ...] = (),
        *,
        origin: Origin | None = None,
        response: Response | None = None,
        left_out: frozenset[str] = frozenset(),
        pins: Mapping[str, int] | None = None,
    ) -> None:
        self.target, self.dtype, self.seed, self.steps = target, dtype, seed, steps
        self.pins = pins or {}
        self.model_units, self.left_out = model_units, left_out
        self._origin = origin or Origin(FirstRuns(target, RunSettings(dtype=dtype, seed=seed)))
        self._response = response or Response(self._origin)

    @property
    def baseline(self) -> Baseline:
        """The measurements of the first run.

        Raises
        ------
        TrainingError
            If a step raises, a loss is not finite, or there is neither a loss nor a change.
        """
        return self._origin.first.baseline

    @property
    def capabilities(self) -> frozenset[type]:
        """The kinds of capabilities that its runs can have."""
        return self._origin.first.capabilities

    @property
    def state(self) -> State:
        """The state before the first step."""
        return self._origin.state

    @property
    def result(self) -> States:
        """The states after the steps that are judged, without the model's random operations."""
        return self._origin.result

    @property
    def random(self) -> tuple[tuple[str, str], ...]:
        """Names and places of the random operations inside modules that it leaves out."""
        return self._origin.first.random if self._origin.setting is None else ()

    @property
    def turnable(self) -> frozenset[str]:
        """The settings that may have an effect on it."""
        return self._origin.first.turnable

    @property
    def may_have_rows(self) -> bool:
        """Whether modules may be called with rows of tokens."""
        return self._origin.first.may_have_rows

    @property
    def packed(self) -> Sequence[PackedCall]:
        """The calls of the first step on rows of several documents."""
        return self._origin.first.packed

    @property
    def limit(self) -> float:
        """How many responses a sound training may deviate by."""
        return THRESHOLDS[self.dtype]

    @property
    def repeatability_hint(self) -> str:
        """The line that seeds with another number in each run, or the cure for sums; or nothing."""
        one = self._seedings()
        time.sleep(_TICK)
        if line := changing(one, self._seedings()):
            return f"; {line} seeds with another number in each run: let it be the same one"
        return f"; {self.baseline.reorders}" if self.baseline.reorders else ""

    def _seedings(self) -> Seedings:
        """Return the numbers that a run is seeded with, up to its second step."""
        with seedings() as found:
            run = self.begin(noise=True)
            run.step()
            run.close()
        return found

    def at(self, changed: State) -> TrainingStart:
        """Return the same start with other arrays, and the same units."""
        origin = Origin(self._origin.first, changed, self._origin.averaged)
        there = self._varied(origin=origin, response=self._response.at(origin))
        there.groups = self.groups
        return there

    def averaging(self, constants: Mapping[int, Sequence[int]]) -> TrainingStart:
        """Return the same start, whose runs read these constants averaged over some axes."""
        origin = Origin(self._origin.first, self._origin.changed, constants)
        return self._varied(origin=origin, response=Response(origin))

    def under(self, setting: str) -> TrainingStart:
        """Return the same start, whose runs draw as they are written, under a setting."""
        now = self._origin
        origin = Origin(now.first, now.changed, now.averaged, setting)
        return self._varied(origin=origin, response=Response(origin))

    def with_units(self, model_units: tuple[Units, ...]) -> TrainingStart:
        """Return the same start with the groups of units of its model."""
        return self._varied(model_units=model_units)

    def without(self, arrays: frozenset[str]) -> TrainingStart:
        """Return the same start, of which some more arrays are not judged."""
        return self._varied(left_out=self.left_out | arrays)

    def release(self) -> None:
        """Let go of the states of runs, if they are large: later ones are computed again."""
        if self.baseline.size > LARGE:
            self._origin.release()

    def _varied(
        self,
        *,
        model_units: tuple[Units, ...] | None = None,
        origin: Origin | None = None,
        response: Response | None = None,
        left_out: frozenset[str] | None = None,
    ) -> TrainingStart:
        return TrainingStart(
            *(self.target, self.dtype, self.seed, self.steps),
            self.model_units if model_units is None else model_units,
            origin=origin or self._origin,
            response=response or self._response,
            left_out=self.left_out if left_out is None else left_out,
            pins=self.pins,
        )

    def begin(
        self,
        changed: State | None = None,
        *,
        noise: bool | None = None,
        order: Arrangement | None = None,
    ) -> Run:
        """Begin a fresh run from the start, in which these arrays are changed.

        ``noise`` says whether the model's random operations stay as they are; by default they are
        left out where there are any. The samples of each batch are put in an ``order``; or
        micro-batches get those of a ``Window``.
        """
        return self._origin.begin(changed, noise=noise, order=order)

    def with_run(
        self,
        function: Callable[[Run], Result],
        changed: State | None = None,
        *,
        noise: bool | None = None,
        order: Arrangement | None = None,
    ) -> Result:
        """Return what a function returns, called with a run that ``begin`` begins.

        It may be called in another process, so that only its result is left: see
        ``Training.with_run``.
        """
        return self._origin.with_run(function, changed, noise=noise, order=order)

    def observed(self, observer: Observer[Result]) -> Result:
        """Return what an observer returns of the steps of a run as the training is written."""
        return self._origin.first.observed(observer, self.steps)

    def states(self, changed: State) -> States:
        """Return the states of a run from a start in which these arrays are replaced."""
        return self._origin.states(changed)

    def nearby(self, draw: int, times: float = 1.0) -> State:
        """Return parameters moved by up to one ulp and eps of the largest entry, by number.

        ``times`` multiplies the distance.
        """
        return self._origin.nearby(draw, times)

    @property
    def first_run(self) -> States:
        """The states of the first run, as the training is written."""
        return self._origin.first.states

    @property
    def unseeded(self) -> tuple[Unseeded, ...]:
        """The lines of the first run that make random generators without a seed."""
        return self.baseline.unseeded

    def rerun(self, *, other_seeds: bool = False) -> Iterator[State]:
        """Yield the states of another run, as the training is written.

        ``other_seeds`` gives other seeds to generators that are made without one.
        """
        with SEEDS.choosing(other=other_seeds):
            run = self.begin(noise=True)
        return run.states(JUDGED, copy=False)

    def hold_start(self) -> str | None:
        """Let all runs begin from the first one's arrays: see ``FirstRuns.hold_start``."""
        return self._origin.first.hold_start()

    def let_runs_differ(self) -> None:
        """Judge nothing any more that needs two runs with the same bits."""
        self._origin.first.differ = True

    @property
    def runs_differ(self) -> bool:
        """Whether two runs differ by rounding."""
        return self._origin.first.differ

    def runs_from_other_starts(self) -> Iterator[Iterator[State]]:
        """Yield a run from another start, which begins when it is first read."""
        yield self._response.first_draw()

    @cached_property
    def groups(self) -> tuple[Units, ...]:
        """The groups, with parts in everything that follows the model's arrays."""
        copies = find_copies(self.state, self.baseline.trained)
        return with_optimizer_state(self.model_units, {**self.state, **self.result[-1]}, copies)

    @cached_property
    def replicas(self) -> Mapping[str, object]:
        """How each group begins, by its name, if all of them begin as copies of others do.

        Replicas of one model are updated together, and stay copies only as a whole.
        """
        found = {
            units.name: tuple(
                (mark(self.state[p.array]), replace(p, array="", arrays=()))
                for p in units.parts
                if p.array in self.baseline.trained
            )
            for units in self.groups
        }
        return found if min(Counter(found.values()).values(), default=0) > 1 else {}

    @cached_property
    def peers(self) -> Mapping[str, tuple[str, ...]]:
        """The arrays that each array may be exchanged with: it responds as much as any of them."""
        parts = [part for units in self.groups for part in units.parts]
        return {name: part.arrays for part in parts for name in part.arrays}

    def responses(self, *, closely: bool = False) -> list[dict[str, float]]:
        """Return for each step the response of each array that can be judged.

        Where the response is large, a bug cannot be distinguished from rounding. If an array
        changes its shape, the places of its units are unknown.
        """
        return self._judged(self._responses(MORE_DRAWS if closely else DRAWS))

    def glance(self) -> list[dict[str, float]] | None:
        """Return the same by one draw; None if more of them may leave no array to be judged.

        An array that they leave out deviates by no more than it may, if it does not at a glance.
        """
        first, *_ = found = [*self._responses(GLANCE)]
        known, own = first
        lies = {array for units in self.groups for array in units.arrays} or known
        sure = (n in lies and own[n] <= _SMALL * self._origin.scale[n] for n in known)
        return self._judged(found) if any(sure) else None

    def _judged(
        self, responses: Iterable[tuple[dict[str, float], Mapping[str, float]]]
    ) -> list[dict[str, float]]:
        """Return the responses of the arrays whose own one is not too large."""
        scale = self._origin.scale
        return [
            {n: most for n, most in known.items() if own[n] <= LARGEST_RESPONSE * scale[n]}
            for known, own in responses
        ]

    def _responses(self, draws: int) -> Iterator[tuple[dict[str, float], Mapping[str, float]]]:
        """Yield by step the responses of arrays that can be compared, and each array's own one.

        Peers have the largest response of any of them.
        """
        lies = {array for units in self.groups for array in units.arrays}
        for state, own in zip(self.result, self._response.of(draws), strict=True):
            known = {
                name: max(own[n] for n in self.peers.get(name, (name,)) if n in own)
                for name, array in state.items()
                if name not in self.left_out
                and self.state.get(name, array).shape == array.shape
                and comparable(name, state, lies)
            }
            yield known, own

    def orders(self, groups: Sequence[Units], *stream: int) -> Orders:
        """Return an order without fixed points of each group; ``replicas`` have the same one.

        None if all units of all groups are equal.
        """
        random, orders = Random(self.seed, _ORDERS, *stream), dict[object, Order]()
        kinds = [self.replicas.get(units.name, units.name) for units in groups]
        for kind, units in zip(kinds, groups, strict=True):
            orders.setdefault(kind, cycle(units.count, random))
        found = [(units, orders[kind]) for kind, units in zip(kinds, groups, strict=True)]
        return found if any(self._moves(units, order) for units, order in found) else []

    def _moves(self, units: Units, order: Order) -> bool:
        """Return whether an order of units changes the start."""
        return not identical(units.rearranged(self.state, order), self.state)

    def with_others_hidden(self, *, look: bool = False) -> tuple[States, Mapping[str, bool], str]:
        """Return the states of a run in which other tokens are hidden by attention masks.

        With them comes what ``Padding.replace_hidden`` sees, and why no token was replaced.
        """
        run = self.begin()
        padding = needed(run, Padding)
        seen = padding.replace_hidden(look=look)
        states = list(run.states(JUDGED))
        return states, seen, padding.why_nothing_hidden(JUDGED)

    @property
    def buffers(self) -> frozenset[str]:
        """The arrays of the model that are not trained, such as running statistics."""
        known = (name for name in self.baseline.state if name.startswith("model."))
        return frozenset(known) - self.baseline.trained

    def sample_order(self, count: int, number: int) -> Order:
        """Return an order of samples that mixes them, by its number."""
        random, order = Random(self.seed, _SAMPLES, number), None
        while order is None or not _mixes(order):
            order = cycle(count, random)
        return order

    def resampled(self, order: Order) -> States:
        """Return the states of a run whose samples are in another order in each batch."""
        return list(self.begin(order=order).states(JUDGED))

    def resampled_with_draws(self, order: Order) -> tuple[States, Mapping[str, bool]]:
        """Return the same with what the step draws for each sample in that order, too.

        With it comes what ``Reordering.follow_samples`` sees.
        """
        run = self.begin(order=order)
        seen = needed(run, Reordering).follow_samples(len(order))
        return list(run.states(JUDGED)), seen


def cycle(count: int, random: Random) -> Order:
    """Return a random order that leaves nothing in its place.

    With four or more it does not shift all by one distance: a bug that shifts units, as a wrong
    index does, would commute with it.
    """
    while True:
        line = random.permutation(count)
        order = np.empty(count, dtype=np.int_)
        order[line] = np.roll(line, 1)
        if count < 4 or np.unique((order - np.arange(count)) % count).size > 1:
            return order


def _mixes(order: Order) -> bool:
    """Return whether an order mixes pieces of a batch, into however many equal ones it is cut."""
    sizes = [size for size in range(2, len(order)) if len(order) % size == 0]
    return all(np.unique(order[:size] // size).size > 1 for size in sizes)
