"""Steps from any start, in float64 and without noise: up to their losses, without gradients.

Whole steps are only taken to see which entries of the parameters receive a gradient.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from symmetry.base.errors import TrainingError
from symmetry.base.memory import refuse_beyond_memory
from symmetry.finding import actions
from symmetry.training.run import Differentiating, Run
from symmetry.training.target import TrainingTarget
from symmetry.training.trace import Trace, weights
from symmetry.units.state import Array, State
from symmetry.units.units import Units

STEPS = 2  # whose batches a group has to hold on: those that the invariants of units visit
_LOSS, _NOISES = 1e-12, 30  # relative; and multiples of what one ulp in the parameters does
_BYTES = 80  # at the peak, for each parameter: ten copies in float64
_SCALES = 0.1, 0.01  # of how far the generic start is from the training's own, if 1 is too far
_ALIVE = 0.75  # times what biases grow by where units are to be alive
_FELT = 1e-9  # gradients, relative to the largest: smaller ones change no loss but by rounding
_REVIVALS = 3  # times that the biases of units that are dead all the same grow once more


class Manner(NamedTuple):
    """How a step is taken without backward.

    Attributes
    ----------
    gradient
        What is left in the gradients: a step may want some, or divide by them.
    whole
        Whether the step goes on after its last loss: the next one may want what it leaves.
    """

    gradient: float | None
    whole: bool


_MANNERS = Manner(None, False), Manner(0.0, False), Manner(1e-3, False), Manner(1e-3, True)
# Of steps that can only be taken to their end.
_WHOLE = Manner(None, True), Manner(0.0, True), Manner(1e-3, True)


@dataclass(frozen=True)
class Outcome:
    """What the steps from one start come to: their losses, and the buffers after each."""

    losses: list[float]
    buffers: list[dict[str, Array]]

    @property
    def finite(self) -> bool:
        """Whether all losses are numbers."""
        return all(map(math.isfinite, self.losses))


Ends = Callable[[Outcome], bool]  # whether no more steps are to be taken


@dataclass(frozen=True)
class Gradients:
    """What is seen of gradients in steps that are taken as they are written.

    Attributes
    ----------
    entries
        Which entries of the parameters received one; nothing where no backward left any.
    steps
        After how many steps all parameters have had one that get one.
    ends
        How often each step asks for gradients: those that are kept, those that are returned.
    """

    entries: Mapping[str, NDArray[np.bool_]]
    steps: int
    ends: Sequence[tuple[int, int]]

    @property
    def count(self) -> int:
        """How many entries received one."""
        return sum(map(np.count_nonzero, self.entries.values()))

    @property
    def everywhere(self) -> bool:
        """Whether all entries did, and there are some."""
        return bool(self.entries) and all(reached.all() for reached in self.entries.values())


@dataclass(frozen=True)
class First:
    """What is seen of a training's first steps, taken as they are written.

    Attributes
    ----------
    trained
        The parameters that are trained.
    later
        Parameters and buffers afterwards.
    gradients
        What they receive.
    """

    trained: frozenset[str]
    later: State
    gradients: Gradients


@dataclass(frozen=True)
class Steps:
    """Takes the first steps of a training from any start, without backward."""

    training: TrainingTarget
    ends: Sequence[tuple[int, int]]
    manner: Manner = _MANNERS[0]
    buffers: tuple[str, ...] = ()

    def run(self, start: State | None = None) -> Run:
        """Begin a run from a start; from the training's own if there is none."""
        run = self.training.start(dtype="float64", noise=False)
        if start is not None:
            run.load(start)
        return run

    def step(self, run: Run) -> None:
        """Take the next step of a run.

        Raises
        ------
        TrainingError
            If it raises, or has no loss.
        """
        ends = self.ends[run.taken]
        run.rehearse(*ends, self.manner.gradient, whole=self.manner.whole)
        pauses = not any(ends) and any(map(any, self.ends))  # other steps have losses
        if not run.loss_sums() and not pauses:
            raise TrainingError(
                f"{self.training.name}: step({run.taken - 1}) neither calls backward() nor returns"
                " its loss"
            )

    def take(self, start: State | None = None, until: Ends = lambda _: False) -> Outcome:
        """Take all steps from a start, or those until an outcome so far ends them."""
        return self.go_on(self.run(start), until)

    def go_on(self, run: Run, until: Ends = lambda _: False) -> Outcome:
        """Take all steps of a run that has begun, or those until an outcome so far ends them."""
        outcome = Outcome([], [])
        while len(outcome.losses) < STEPS and not until(outcome):
            self.step(run)
            sums = run.loss_sums()
            outcome.losses.append(
                sum(loss * w for loss, w in zip(sums, weights(len(sums)), strict=True))
            )
            outcome.buffers.append(run.leaves(self.buffers))
        run.close()
        return outcome


@dataclass(frozen=True)
class Rehearsal:
    """A training whose first steps are taken again and again; ``begin`` makes one.

    Attributes
    ----------
    steps
        Takes them.
    first
        What is seen of them as they are written.
    start
        The parameters and buffers as the training makes them, in float64; without buffers that
        change their shape.
    generic
        The same, moved so far that no two units are equal by chance: a start of zeros, for
        instance, would accept any exchange.
    traced
        How many steps from there all parameters need to have had a gradient that get one.
    random, model, turned
        Name and place of the random operations inside modules; the name of the model's class;
        matrices that make units along their second axis.
    layers
        Along which axis matrices of layers make units, and how many.
    reached
        Which entries of the parameters received a gradient, from the training's own start or from
        the generic one; nothing where gradients were not all seen.
    """

    steps: Steps
    first: First
    start: State
    generic: State
    traced: int
    random: tuple[tuple[str, str], ...]
    model: str
    turned: frozenset[str]
    layers: Mapping[str, tuple[int, int]]
    reached: Mapping[str, NDArray[np.bool_]]

    @classmethod
    def begin(cls, training: TrainingTarget) -> Rehearsal:
        """Take the first steps of a training, and find a start from which they tell of its units.

        Raises
        ------
        TrainingError
            If the training cannot be run, its step has no loss, or the loss is not finite.
        SymmetryError
            If there are so many parameters that memory cannot be enough.
        """
        first = _first_steps(training)
        steps, run, start, outcome = _without_backward(training, first.gradients.ends)
        for i, loss in enumerate(outcome.losses):
            if not math.isfinite(loss):
                raise TrainingError(f"{training.name}: the loss of step({i}) is {loss}")
        growing = {  # what changes its shape has no places for units
            name
            for after in outcome.buffers
            for name, array in after.items()
            if array.shape != start[name].shape
        }
        start = {name: array for name, array in start.items() if name not in growing}
        steps = replace(steps, buffers=tuple(n for n in steps.buffers if n not in growing))
        moving = {
            name
            for name in steps.buffers
            if not actions.same(start[name], outcome.buffers[0][name], 0.0)
        }
        generic, most = _generic(steps, start, {*run.parameters} | moving)
        return cls(
            steps,
            first,
            start,
            generic,
            most.steps,
            tuple(run.random),
            run.model_name,
            run.turned,
            run.layers,
            _reached_by_any(first.gradients, most),
        )

    @cached_property
    def base(self) -> Outcome:
        """What the steps from the generic start come to."""
        return self.steps.take(self.generic)

    @cached_property
    def later(self) -> State:
        """The start that the first steps lead to: at their own, layers of zeros hide others."""
        return {name: self.first.later.get(name, array) for name, array in self.start.items()}

    @cached_property
    def at_later(self) -> Outcome:
        """What the steps from there come to."""
        return self.steps.take(self.later)

    @property
    def silent(self) -> bool:
        """Whether the losses are all zero: nothing can be learned from them."""
        return not any(self.base.losses)

    @cached_property
    def tolerance(self) -> float:
        """By how much an exchange may change the loss, relative: a multiple of what one ulp does.

        One ulp in the parameters, that is.
        """
        random, noises = np.random.default_rng(0), [0.0]
        for _ in range(2):
            moved = {
                n: a * (1 + 2.2e-16 * random.integers(-1, 2, a.shape))
                for n, a in self.generic.items()
            }
            noises.append(_difference(self.base, self.steps.take(moved)))
        return max(_LOSS, _NOISES * max(noises))

    def trace(self) -> Trace:
        """Return the trace of the first steps from the generic start.

        That is one step, unless parameters are trained from the second one on.
        """
        run = self.steps.run(self.generic)
        trace = run.trace(self.start, lambda: self.steps.step(run), self.traced)
        run.close()
        return trace

    def survivors(
        self,
        groups: Sequence[Units],
        kept: Sequence[Units] = (),
        excused: Collection[str] = (),
    ) -> list[Units]:
        """Return the groups that hold on all batches, from both starts, all at once.

        They hold together with the groups that are ``kept``. ``excused`` are buffers that need not
        move along with units.
        """
        if not groups or self._hold([*kept, *groups], excused):
            return [*groups]
        if len(groups) == 1:
            return []
        half = len(groups) // 2
        left = self.survivors(groups[:half], kept, excused)
        return left + self.survivors(groups[half:], [*kept, *left], excused)

    def _hold(self, groups: Sequence[Units], excused: Collection[str]) -> bool:
        """Return whether losses stay and buffers move along when all units are rotated.

        At the later start buffers may hold nothing but rounding, such as the means of what has the
        mean zero: there the losses alone are compared.
        """

        def differs(base: Outcome, found: Outcome) -> bool:
            return _difference(base, found) > self.tolerance

        found = self.steps.take(_rotated(groups, self.later), partial(differs, self.at_later))
        if differs(self.at_later, found):
            return False
        found = self.steps.take(_rotated(groups, self.generic), partial(differs, self.base))
        return not differs(self.base, found) and all(
            actions.same(array, after[name])
            for before, after in zip(self.base.buffers, found.buffers, strict=True)
            for name, array in _rotated(groups, before).items()
            if name not in excused
        )


def _first_steps(training: TrainingTarget) -> First:
    """Take the first steps as they are written."""
    run = training.start(dtype="float64", noise=False)
    if run.sharded:
        raise TrainingError(f"{training.name}: its ranks hold parameters in parts (DTensor)")
    refuse_beyond_memory(_BYTES * sum(a.size for a in run.parameter_arrays().values()))
    gradients = _gradients(run)
    first = First(run.trained, run.leaves(), gradients)
    run.close()
    return first


def _gradients(run: Run, least: float = 0.0) -> Gradients:
    """Take steps as they are written; return which entries of parameters receive a gradient.

    That is one of more than ``least``, relative to the largest of all.
    """
    sizes: dict[str, Array] = {}

    def note() -> None:
        if isinstance(run, Differentiating):
            for name, array in run.parameter_arrays().items() if not sizes else ():
                sizes[name] = np.zeros(array.shape)  # complex ones are pairs there
            for name, gradient in run.gradients().items():
                np.maximum(sizes[name], abs(gradient), out=sizes[name])

    run.after_backward = note
    counts, ends = list[int](), list[tuple[int, int]]()
    for _ in range(STEPS):
        run.step()
        counts.append(sum(bool(size.any()) for size in sizes.values()))
        ends.append((run.backwards, run.grads))
    run.after_backward = lambda: None  # or the run would keep itself
    felt = least * max((size.max(initial=0.0) for size in sizes.values()), default=0.0)
    entries = {name: size > felt for name, size in sizes.items()}
    return Gradients(entries, 1 + counts.index(counts[-1]), ends)


def _without_backward(
    training: TrainingTarget, ends: Sequence[tuple[int, int]]
) -> tuple[Steps, Run, State, Outcome]:
    """Find a manner in which the steps can be taken.

    Return it with a run from the training's own start, that start, and what it came to.
    """
    manners = _WHOLE if training.sequential else _MANNERS
    for manner in manners:
        run = training.start(dtype="float64", noise=False)
        start = run.leaves()
        buffers = tuple(name for name in start if name not in run.parameters)
        steps = Steps(training, ends, manner, buffers)
        try:
            outcome = steps.go_on(run)
        except TrainingError:
            if manner == manners[-1]:
                raise
        else:
            if outcome.finite:
                break
    return steps, run, start, outcome


def _reached_by_any(*several: Gradients) -> dict[str, NDArray[np.bool_]]:
    """Return which entries received a gradient in any of these; nothing if not all were seen."""
    if any(returned for gradients in several for _, returned in gradients.ends):
        return {}
    found: dict[str, NDArray[np.bool_]] = {}
    for gradients in several:
        for name, entries in gradients.entries.items():
            found[name] = entries | found.get(name, False)
    return found if any(entries.any() for entries in found.values()) else {}


def _generic(steps: Steps, start: State, names: Collection[str]) -> tuple[State, Gradients]:
    """Find a generic start: of the candidates the one at which most entries receive a gradient.

    Units that are dead there, as those of a ReLU may be, do not show where they lie. How many
    entries receive a gradient at the training's own start does not matter: units may be dead there.
    Where two starts that are far from each other agree on what is reached, no other reaches more.
    With it comes what is seen of gradients from there.
    """
    best, most = start, Gradients({}, STEPS, ())
    for moved in _candidates(start, names):
        reached = _reached(steps, moved)
        if reached is None:
            continue
        agreed = reached.count > 0 and _same_entries(reached, most)
        if best is start or reached.count > most.count:
            best, most = moved, reached
        if agreed or most.everywhere:
            return best, most
    for _ in range(_REVIVALS):
        moved = _revived(best, most.entries)
        reached = _reached(steps, moved)
        if reached is None or reached.count <= most.count:
            break
        best, most = moved, reached
    return best, most


def _same_entries(one: Gradients, other: Gradients) -> bool:
    return one.entries.keys() == other.entries.keys() and all(
        np.array_equal(reached, other.entries[name]) for name, reached in one.entries.items()
    )


def _reached(steps: Steps, start: State) -> Gradients | None:
    """Return which entries receive a gradient that matters; None if losses are not finite."""
    if not steps.take(start).finite:
        return None
    try:
        return _gradients(steps.run(start), _FELT)
    except TrainingError:  # an update may refuse what this start leads to
        return Gradients({}, STEPS, ())


def _revived(start: State, reached: Mapping[str, NDArray[np.bool_]]) -> State:
    """Return the start with larger entries of vectors where no gradient reaches them.

    Such an entry is the bias of a unit that is dead.
    """
    return {
        name: array + ~reached[name] if array.ndim == 1 and name in reached else array
        for name, array in start.items()
    }


def _candidates(start: State, names: Collection[str]) -> Iterator[State]:
    """Yield starts with some arrays moved at random.

    A large move may make all samples choose one expert; at a small one units hardly matter. With
    small matrices and large biases no ReLU switches a unit off.
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

    Vectors, which may be biases, grow: it keeps units alive that a ReLU would switch off.
    Small matrices grow, too: at 0.02 a loss can hardly tell one attention head from another.
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


def _rotated(groups: Sequence[Units], state: State) -> State:
    for units in groups:
        state = units.rearranged(state, np.roll(np.arange(units.count), 1))
    return state


def _difference(one: Outcome, other: Outcome) -> float:
    """Return the largest relative difference of losses, of as many steps as the other took."""
    pairs = zip(one.losses, other.losses, strict=False)
    return max((abs(a - b) / (abs(a) + 1e-300) for a, b in pairs), default=0.0)
