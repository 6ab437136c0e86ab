"""The start of a training in one precision: its state and units, runs from it, their response."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from symmetry.base.errors import TrainingError
from symmetry.base.raised import heard
from symmetry.base.random import Random
from symmetry.law.start import Orders
from symmetry.training.capabilities.batching import Padding, Reordering
from symmetry.training.capabilities.configuring import Configuring
from symmetry.training.capabilities.platform import Platform
from symmetry.training.losses import LossProbe, Observed
from symmetry.training.optimizer_state import comparable, find_copies, mark, with_optimizer_state
from symmetry.training.run import Run, needed
from symmetry.training.target import Training
from symmetry.units.state import Array, State, difference, has_moved, identical, largest, size
from symmetry.units.units import Order, Units

# Responses that a sound training may deviate by. Of 188 sound trainings the worst deviates by 11 in
# float32 and 9 in float64 with few draws, the weakest of 32 planted bugs by 33 and by 1e10. In
# float64 nothing is lost by a wide margin.
THRESHOLDS = {"float32": 30.0, "float64": 1000.0}
LACKED = frozenset({"scale", "attention", "checkpoint", "inplace", "kernels"})  # by many trainings
JUDGED = 2  # steps: a bug on odd steps shows, and chaos has no time to grow
DRAWS, MORE_DRAWS = 4, 12  # of the response, before and after a suspicion
APART = 1000  # ulps between starts at which two trainings are judged, once they seem to differ
ATTEMPTS = 3  # that all have to violate an invariant
POWER = 0.01  # of its largest entry; an array that one ulp moves by more is not judged

_ORDERS, NUDGES, _SAMPLES = 110, 111, 112  # streams of the seed

States = list[dict[str, Array]]


class Baseline(NamedTuple):
    """The baseline: what the first run, on objects as the training makes them, showed."""

    state: State  # before the first step
    states: States  # after each of the steps that are judged: the bits that every run must have
    precision: Mapping[str, float]  # the eps of each array
    trained: frozenset[str]  # the parameters that are trained
    moved: frozenset[str]  # the arrays that the first steps change
    size: int  # bytes of a state after the steps
    random: tuple[tuple[str, str], ...]  # operations of the model, where that is promoted
    samples: int | None  # in each batch; None where that is not known to be one number
    on_gpu: bool  # which may add in another order each time
    compiles: bool  # by something that compiles nothing where results are nudged
    warnings: tuple[str, ...]  # of what it is written with; none in float64, where it is not
    observed: Observed | None  # its losses and tokens, where it is promoted


class _NoiselessRun(NamedTuple):
    """A run without the model's random operations."""

    states: States
    random: tuple[tuple[str, str], ...]  # their names and places


@dataclass(frozen=True, eq=False)
class TrainingStart:
    """A start of a training in one precision, and what is known from runs.

    It is a ``symmetry.law.start.Start``: what the methods of that name promise is said there.
    """

    target: Training
    dtype: str  # "float32": as written; "float64": promoted
    seed: int = 0  # of the training's random numbers, and of all choices made here
    steps: int = 4  # that the runs of training/* take
    changed: State = field(default_factory=dict)  # of the state: not as the training makes it
    # The groups, with their parts in the model's own arrays, once they are found.
    model_units: tuple[Units, ...] = ()
    # The numbers of fixed tensors that its runs read as the same along these axes, or as zero.
    levelled: Mapping[int, Sequence[int]] = field(default_factory=dict)
    # Responses by the number of draws: what was drawn is kept.
    _drawn: dict[int, list[dict[str, float]]] = field(default_factory=dict)

    attempts = ATTEMPTS

    @property
    def limit(self) -> float:
        """How many responses a sound training may deviate by."""
        return THRESHOLDS[self.dtype]

    @property
    def repeatability_hint(self) -> str:
        """The cure for sums on a GPU that are not repeatable; empty without a GPU."""
        cure = "; torch.use_deterministic_algorithms(True) makes sums of GPUs repeatable"
        return cure * self.baseline.on_gpu

    def at(self, changed: State) -> TrainingStart:
        """Return the same start with other arrays, and the same units."""
        # A first guess of the response is dear enough to be shared; a suspicion adds own draws.
        drawn = {DRAWS: self._response(DRAWS), **self._drawn}
        return self._but("random", "groups", changed=changed, _drawn=drawn)

    def levelling(self, fixed: Mapping[int, Sequence[int]]) -> TrainingStart:
        """Return the same start with these fixed tensors levelled."""
        return self._but("random", levelled=fixed, _drawn={})

    def with_units(self, model_units: tuple[Units, ...]) -> TrainingStart:
        """Return the same start with the groups of units of its model."""
        return self._but("random", "result", model_units=model_units)

    def without_states(self) -> TrainingStart:
        """Return the same start without the states of runs: a model may be large."""
        other = self._but("random", "scale", "groups", _drawn={})
        if vars(other).pop("_plain", None) is not None:  # what follows from it is small
            vars(other).update(random=self.random, scale=self.scale)
        vars(other)["baseline"] = self.baseline._replace(states=[])
        return other

    def responding(self, states: Sequence[State], near: Iterable[Sequence[State]]) -> TrainingStart:
        """Return the same start, whose arrays respond at least as much as in another run.

        The arguments are the states of that run, and of runs from starts close by: it may be less
        accurate.
        """
        drawn = [dict(response) for response in self._response(MORE_DRAWS)]
        for others in near:
            for response, state, other in zip(drawn, states, others, strict=True):
                for name in response.keys() & state.keys():
                    gap = difference(state[name], other.get(name))
                    response[name] = max(response[name], gap)
        return self._but("random", "groups", "result", _drawn={MORE_DRAWS: drawn})

    def _but(self, *kept: str, **fields: Any) -> TrainingStart:
        """Return the same start with other fields; these properties stay, if they are known."""
        other = replace(self, **fields)
        known = ("baseline", "_plain", "turnable", *kept)
        vars(other).update({k: vars(self)[k] for k in known if k in vars(self)})
        return other

    @cached_property
    def baseline(self) -> Baseline:
        """The measurements of the first run.

        Raises ``TrainingError`` if a step raises, a loss is not finite, or there is neither a loss
        nor a change.
        """
        if self.dtype != "float32":
            return self._taken()
        with heard() as warned:
            baseline = self._taken()
        return baseline._replace(warnings=tuple(warned.values()))

    def _taken(self) -> Baseline:
        """Take the first run; leave out the warnings."""
        run = self.target.begin(dtype=self.dtype, seed=self.seed)
        start, precision, states, losses = run.state(), run.precision(), [], []
        observed: Observed | None = None
        with ExitStack() as stack:
            probe = run.capability(LossProbe) if self.dtype == "float64" else None
            if probe is not None:
                observed = stack.enter_context(probe.observed())
            for state in run.states(JUDGED):
                losses.append(run.loss)
                states.append(state)
                self._refuse_growth(run, start, state)
        if losses == [None] * JUDGED and not has_moved(start, states[-1:]):
            raise TrainingError(
                "its steps call no backward(), return no loss and change nothing: a step that "
                "does without backward() returns its loss"
            )
        size = sum(array.nbytes for array in states[-1].values())
        last = states[-1]
        moved = frozenset(
            n for n, a in start.items() if n in last and has_moved({n: a}, [{n: last[n]}])
        )
        platform = run.capability(Platform)
        on_gpu = platform is not None and platform.on_gpu
        compiles = platform is not None and platform.compiles
        kind = tuple(run.random), run.samples(), on_gpu, compiles
        return Baseline(start, states, precision, run.trained, moved, size, *kind, (), observed)

    def _refuse_growth(self, run: Run, start: State, state: State) -> None:
        """Raise TrainingError if the last step has changed a shape, or its loss is not finite."""
        for name in sorted(run.parameters.keys() & start.keys()):
            if state[name].shape != start[name].shape:
                raise TrainingError(
                    f"{name} has the shape {start[name].shape} at the start and "
                    f"{state[name].shape} after step {run.taken - 1}: what grows is not checked"
                )
        if run.loss is not None and not math.isfinite(run.loss):
            raise TrainingError(f"the loss of step {run.taken - 1} is {run.loss}")

    @cached_property
    def state(self) -> State:
        """The state before the first step."""
        return {**self.baseline.state, **self.changed}

    @cached_property
    def result(self) -> States:
        """The states after the steps that are judged, without the model's random operations."""
        return self.states({}) if self.changed or self.levelled else self._plain.states

    @cached_property
    def random(self) -> tuple[tuple[str, str], ...]:
        """Names and places of the random operations inside modules."""
        return self._plain.random

    @cached_property
    def _plain(self) -> _NoiselessRun:
        # Of a promoted run every operation is seen, its noise as well.
        written, random = self.dtype == "float32", self.baseline.random
        if written or random:
            run = self.begin(noise=False)
            states = list(run.states(JUDGED))
            random = tuple(run.random)
        if not random:
            # The first run is the same; and what torch.compile has made runs only outside of the
            # modes that look for random numbers.
            states = self.baseline.states or list(self.begin(noise=written).states(JUDGED))
        return _NoiselessRun(states, random)

    @cached_property
    def turnable(self) -> frozenset[str]:
        """The settings that many trainings lack, and that there may be something to turn of here.

        All are turned at once, in one run; where that cannot be done it may be any.
        """
        run = self.begin()
        configuring = run.capability(Configuring)
        if configuring is None:
            return LACKED
        try:
            with ExitStack() as stack:
                turned = {
                    name: stack.enter_context(configuring.with_setting(name))
                    for name in sorted(LACKED)
                }
                deque(run.states(JUDGED, copy=False), maxlen=0)
        except TrainingError:
            return LACKED
        return frozenset(name for name, was in turned.items() if was())

    def states(self, changed: State) -> States:
        """Return the states of a run from a start in which these arrays are replaced."""
        return list(self.begin(changed).states(JUDGED))

    @property
    def first_run(self) -> States:
        """The states of the first run, as the training is written."""
        return self.baseline.states

    def rerun(self) -> Iterator[State]:
        """Yield the states of another run, as the training is written."""
        return self.begin(noise=True).states(JUDGED, copy=False)

    def runs_from_other_starts(self) -> Iterator[Iterator[State]]:
        """Yield a run from another start, which is begun when it is asked for."""
        yield self.begin(self.nearby(0), noise=True).states(JUDGED, copy=False)

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

    @cached_property
    def scale(self) -> Mapping[str, float]:
        """The largest finite entry of each array, before or after the steps."""
        scale: dict[str, float] = {}
        for state in (self.state, *self.result):
            for name, array in state.items():
                scale[name] = max(scale.get(name, 0.0), size(array))
        return scale

    def begin(
        self,
        changed: State | None = None,
        *,
        noise: bool | None = None,
        order: Order | None = None,
    ) -> Run:
        """Begin a fresh run from the start, in which these arrays are changed.

        ``noise`` says whether the model's random operations stay as they are; by default they are
        left out where there are any. The samples of each batch are put in an ``order``.
        """
        if noise is None:  # a run that passes through modes need not be as it is written
            noise = self.dtype == "float32" and not self.random
        run = self.target.begin(dtype=self.dtype, seed=self.seed, noise=noise, order=order)
        run.load({**self.changed, **(changed or {})})
        if self.levelled:
            run.average_constants(self.levelled)
        return run

    def responses(self, *, closely: bool = False) -> list[dict[str, float]]:
        """Return for each step the response of each array that can be judged.

        Where the response is large, a bug cannot be told from rounding. If an array changes its
        shape, the places of its units are unknown.
        """
        lies = {array for units in self.groups for array in units.arrays}
        found: list[dict[str, float]] = []
        drawn = self._response(MORE_DRAWS if closely else DRAWS)
        for state, response in zip(self.result, drawn, strict=True):
            known = {
                name: max(response[n] for n in self.peers.get(name, (name,)) if n in response)
                for name, array in state.items()
                if self.state.get(name, array).shape == array.shape
                and comparable(name, state, lies)
                and response[name] <= POWER * self.scale[name]
            }
            found.append(known)
        return found

    def _response(self, draws: int) -> list[dict[str, float]]:
        """Return by step how far about one ulp in the parameters moves each array, at the most.

        It is infinite where that leads to numbers that are not finite. More draws that are known
        already are taken. Where they were drawn another expert may have been chosen, and arrays of
        this one's optimiser not been made: one ulp of these is the least.
        """
        known, eps = max(self._drawn, default=0), float(np.finfo(self.dtype).eps)
        least = [{n: eps * self.scale[n] for n in state} for state in self.result]
        drawn = self._drawn.get(known, least)
        found = [{**floor, **step} for floor, step in zip(least, drawn, strict=True)]
        if known >= draws:
            return found
        for draw in range(known, draws):
            run = self.begin(self.nearby(draw))
            if draws > DRAWS and not self.baseline.compiles:
                run.nudge_by(draw)  # results in 16 bits, too
            states = run.states(JUDGED, copy=False)
            for response, state, other in zip(found, self.result, states, strict=True):
                for name, array in state.items():
                    response[name] = max(response[name], difference(array, other.get(name)))
        self._drawn[draws] = found
        return found

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

    def with_others_hidden(self, *, look: bool = False) -> tuple[States, Mapping[str, bool]]:
        """Return the states of a run in which other tokens are hidden by the masks of batches.

        With them comes what ``Padding.replace_hidden`` sees.
        """
        run = self.begin()
        seen = needed(run, Padding).replace_hidden(look=look)
        return list(run.states(JUDGED)), seen

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

    def nearby(self, draw: int, times: float = 1.0) -> State:
        """Return parameters moved by up to one ulp and eps of the largest entry, by number.

        ``times`` multiplies the distance.
        """
        eps = {name: times * self.baseline.precision[name] for name in self.baseline.trained}
        return nearby(self.state, eps, self.scale, Random(self.seed, NUDGES, draw))


def nearby(
    start: State, precision: Mapping[str, float], scale: Mapping[str, float], random: Random
) -> dict[str, Array]:
    """Return arrays moved by up to one ulp and eps of their largest entry, at random.

    These are the ones whose eps is given. One of zeros has the ``scale`` that it has later.
    """
    changed: dict[str, Array] = {}
    for name, array in start.items():
        if name in precision:
            shift = random.uniform(array.shape, -1.0, 1.0)
            shift *= abs(array) + (largest(array) or scale[name])
            shift *= precision[name]
            shift += array
            changed[name] = shift.astype(array.dtype)
    return changed


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
