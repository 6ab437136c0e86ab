"""The first steps of a training: as it takes them, and up to their losses from any start.

As the training takes them, they show which entries of parameters receive a gradient. Up to their
losses, they are taken in float64 and without noise. In a generic start all units are different, and
few are dead: a start of zeros, for instance, would accept any exchange.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial, reduce
from itertools import chain, islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from symmetry.base.errors import TrainingError
from symmetry.base.memory import refuse_beyond_memory
from symmetry.training.capabilities.batching import FewSamples
from symmetry.training.capabilities.model import Differentiating, Layered, Optimizing
from symmetry.training.capabilities.observing import Rehearsing, Tracing
from symmetry.training.capabilities.step_events import StepEvents
from symmetry.training.rank_runs import Gathering, by_itself, gathering
from symmetry.training.run import Run, RunSettings, needed
from symmetry.training.target import Result, Training
from symmetry.training.trace import weights
from symmetry.units.state import Array, State

_BYTES = 80  # at the peak, for each parameter: ten copies in float64


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


@dataclass(frozen=True)
class ReceivedGradients:
    """The gradients that were observed in a run's steps."""

    # Which entries of the parameters received one, in all steps and in the first one alone; empty
    # if no backward left any.
    entries: Mapping[str, NDArray[np.bool_]]
    at_once: Mapping[str, NDArray[np.bool_]]
    steps: int  # the steps after which all parameters that receive one have had it
    # For each step, how many calls leave gradients in parameters, and how many return them.
    ends: Sequence[tuple[int, int]]

    @property
    def count(self) -> int:
        """The number of entries that received one."""
        return sum(map(np.count_nonzero, self.entries.values()))

    @property
    def everywhere(self) -> bool:
        """Whether all entries received one, and there are some."""
        return bool(self.entries) and all(entries.all() for entries in self.entries.values())

    def has_same_entries(self, other: ReceivedGradients) -> bool:
        """Return whether the same entries received one."""
        return self.entries.keys() == other.entries.keys() and all(
            np.array_equal(entries, other.entries[name]) for name, entries in self.entries.items()
        )


@dataclass(frozen=True)
class FirstSteps:
    """The first steps of a training, taken as they are written."""

    trained: frozenset[str]  # the parameters that are trained
    waiting: frozenset[str]  # those of optimisers that step later, as where losses take turns
    later: State  # parameters and buffers after these steps
    gradients: ReceivedGradients  # the gradients that the parameters received


def take_first_steps(training: Training) -> FirstSteps:
    """Take the first steps as they are written.

    Raises
    ------
    TrainingError
        If the training cannot be run, or ranks hold its parameters in parts.
    SymmetryError
        If the parameters need more memory than there is.
    """

    def taken(run: Run) -> FirstSteps:
        if needed(run, Layered).sharded:
            raise TrainingError(f"{training.name}: its ranks hold parameters in parts (DTensor)")
        refuse_beyond_memory(_BYTES * sum(a.size for a in run.parameter_arrays().values()))
        stepped: set[frozenset[str]] = set()
        with needed(run, StepEvents).listening(
            before_update=lambda optimizer: stepped.add(frozenset(optimizer.rates()))
        ):
            gradients = observe_gradients(run)
        optimizing = run.capability(Optimizing)
        waiting = optimizing.waiting(stepped) if optimizing else frozenset[str]()
        first = FirstSteps(run.trained, waiting, needed(run, Tracing).leaves(), gradients)
        run.close()
        return first

    return training.with_run(taken, RunSettings(dtype="float64", noise=False))


def observe_gradients(run: Run, least: float = 0.0) -> ReceivedGradients:
    """Take steps as they are written, and observe the gradients.

    A gradient counts if it is larger than ``least``, relative to the largest of all.
    """
    sizes: dict[str, Array] = {}
    events, differentiating = needed(run, StepEvents), run.capability(Differentiating)

    def note() -> None:
        if differentiating is not None:
            for name, array in run.parameter_arrays().items() if not sizes else ():
                sizes[name] = np.zeros(array.shape)  # complex parameters are pairs there
            for name, gradient in differentiating.gradients().items():
                np.maximum(sizes[name], abs(gradient), out=sizes[name])

    everyones = gathering(run)
    counts, ends = list[int](), list[tuple[int, int]]()
    received: list[dict[str, NDArray[np.bool_]]] = []
    with events.listening(after_backward=note):
        for _ in range(STEPS):
            run.step()
            largest = _largest(everyones(sizes))
            received.append(_larger(largest, least))
            counts.append(sum(bool(size.any()) for size in largest.values()))
            ends.append((events.backwards, events.grads))
    return ReceivedGradients(received[-1], received[0], 1 + counts.index(counts[-1]), ends)


def _largest(everyones: Sequence[Mapping[str, Array]]) -> Mapping[str, Array]:
    """Return the largest size of each entry on any rank."""
    first, *others = everyones
    return {n: reduce(np.maximum, (o[n] for o in others), size) for n, size in first.items()}


def _larger(sizes: Mapping[str, Array], least: float) -> dict[str, NDArray[np.bool_]]:
    """Return which entries are larger than ``least``, relative to the largest of all."""
    bound = least * max((size.max(initial=0.0) for size in sizes.values()), default=0.0)
    return {name: size > bound for name, size in sizes.items()}


def entries_in_any(*several: ReceivedGradients) -> dict[str, NDArray[np.bool_]]:
    """Return which entries received a gradient in any of several runs.

    Nothing if a step returns gradients, since these cannot be observed.
    """
    if any(returned for gradients in several for _, returned in gradients.ends):
        return {}
    union: dict[str, NDArray[np.bool_]] = {}
    for gradients in several:
        for name, entries in gradients.entries.items():
            union[name] = entries | union.get(name, False)
    return union if any(entries.any() for entries in union.values()) else {}


_SCALES = 0.1, 0.01  # of smaller moves, if a move of scale 1 goes too far


_ALIVE = 0.75  # how far biases grow, relative to a random number, so that units are alive


_LEAST = 1e-9  # relative to the largest: smaller gradients change a loss by rounding only


_REVIVALS = 3  # times that the biases of dead units grow once more


_NONE = ReceivedGradients({}, {}, STEPS, ())


@dataclass(frozen=True)
class GenericStart:
    """A start, and what its steps are like."""

    state: State
    received: ReceivedGradients  # the gradients that parameters receive, without mere rounding
    results: StepResults  # of the steps up to their losses


def generic_start(
    steps: LossSteps, start: State, names: Collection[str], few: FewSamples | None = None
) -> GenericStart:
    """Return the generic start at which most entries receive a gradient.

    Dead units, as those of a ReLU may be, hide which slices they have. If two starts that are far
    from each other agree on the entries, no other start is tried. ``names`` are the arrays to move.
    With ``few``, it is chosen on few samples, unless at the first one all entries receive one.
    """
    moved = next(_candidates(start, names))
    first = _attempt(steps, moved)
    if first is not None and first.received.everywhere:
        return first
    others = islice(_candidates(start, names), 1, None)
    if few is not None:
        with suppress(TrainingError):  # a size of the batch may be written in the step
            state = _best(replace(steps, few=few), start, chain([moved], others)).state
            chosen = first if state is moved else _attempt(steps, state)
            there = [attempt for attempt in (first, chosen) if attempt is not None]
            if there:
                return max(there, key=lambda attempt: attempt.received.count)
        others = islice(_candidates(start, names), 1, None)
    return _best(steps, start, others, first)


def _best(
    steps: LossSteps, start: State, candidates: Iterator[State], first: GenericStart | None = None
) -> GenericStart:
    """Return the best of some candidates; ``first`` is one that has been tried already."""
    best = first
    for moved in candidates:
        attempt = _attempt(steps, moved)
        if attempt is None:
            continue
        agreed = best is not None and attempt.received.has_same_entries(best.received)
        if best is None or attempt.received.count > best.received.count:
            best = attempt
        if (agreed and best.received.count > 0) or best.received.everywhere:
            return best
    if best is None:
        best = GenericStart(start, _NONE, steps.take(start))
    for _ in range(_REVIVALS):
        attempt = _attempt(steps, _revived(best.state, best.received.entries))
        if attempt is None or attempt.received.count <= best.received.count:
            break
        best = attempt
    return best


def _attempt(steps: LossSteps, start: State) -> GenericStart | None:
    """Return the gradients from a start that are no rounding; None if losses are not finite."""
    results = steps.take(start)
    if not results.finite:
        return None
    try:
        received = steps.with_run(partial(observe_gradients, least=_LEAST), start)
    except TrainingError:  # an update may refuse the state that comes of this start
        received = _NONE
    return GenericStart(start, received, results)


def _candidates(start: State, names: Collection[str]) -> Iterator[State]:
    """Yield starts with some arrays moved at random.

    A large move may make all samples select one expert; after a small one units hardly matter. In
    the second start, small matrices and large biases keep a ReLU from switching units off.
    """
    yield _moved(start, names, 1.0)
    random = np.random.default_rng(1)
    alive = _moved(start, names, 1.0)
    for name in (name for name in start if name in names):
        array, more = alive[name], 0.5 + abs(random.standard_normal(start[name].shape))
        alive[name] = array + _ALIVE * more if array.ndim == 1 else array / 2
    yield alive
    for scale in _SCALES:
        yield _moved(start, names, scale)


def _moved(start: State, names: Collection[str], scale: float) -> dict[str, Array]:
    """Return the start with some arrays moved at random.

    Vectors, which may be biases, grow: a ReLU then switches fewer units off. Small matrices grow,
    too: with weights of 0.02, attention heads hardly differ in the loss.
    """
    random = np.random.default_rng(0)
    moved = dict(start)
    for name in (name for name in start if name in names):
        array = start[name]
        factor = 1 + scale * random.uniform(-0.3, 0.3, array.shape)
        more = scale * abs(random.standard_normal(array.shape))
        if array.ndim > 1 and array.any():
            usual = 1 / math.sqrt(array[0].size)  # as layers are initialised
            factor *= max(1.0, usual / math.sqrt(np.mean(abs(array) ** 2))) ** scale
        moved[name] = array * factor + more * (0.4 if array.ndim == 1 else 0.05 * (array == 0))
    return moved


def _revived(start: State, alive: Mapping[str, NDArray[np.bool_]]) -> State:
    """Return the start with larger entries of vectors that receive no gradient.

    Such an entry is the bias of a dead unit.
    """
    return {
        name: array + ~alive[name] if array.ndim == 1 and name in alive else array
        for name, array in start.items()
    }
