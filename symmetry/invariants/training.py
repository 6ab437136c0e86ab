"""The law on the start of a PyTorch training: rounding or bug, tensor by tensor and step by step.

A deviation is divided by the *response*: the largest change in runs whose parameters were moved by
about one ulp. Sound trainings stay near 1, whatever their optimiser. Before a violation is
reported, it must survive more draws of the response and other rearrangements.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from symmetry.data.random import Random
from symmetry.invariants.finding import Finding, Violation
from symmetry.invariants.law import Rearrangement, first_difference
from symmetry.targets.following import comparable, following, frozen_copies
from symmetry.targets.training import Training, TrainingError
from symmetry.units import compare
from symmetry.units.state import State, finite
from symmetry.units.units import Order, Units
from symmetry.units.words import in_ulps

if TYPE_CHECKING:
    from symmetry.targets.torch_run import Run

THRESHOLDS = {"float32": 30.0, "float64": 1000.0}
JUDGED = 2  # steps: a bug on odd steps shows, and chaos has no time to grow
DRAWS, MORE_DRAWS = 4, 12  # of the response, before and after a suspicion
REARRANGEMENTS = 3  # that must all violate
POWER = 0.01  # of its largest entry; an array that one ulp moves by more is not judged

_ORDERS, _NUDGES, _SAMPLES = 110, 111, 112  # streams of the seed

States = list[dict[str, NDArray[Any]]]


class TrainingSetting:
    """One start of a training in one dtype, the runs from it, and what is known from them.

    Parameters
    ----------
    training
        The target.
    units
        Its groups of equal units, with their parts in the model's own arrays; they can be set
        later, as ``model_units``.
    dtype
        ``"float32"``: as written; ``"float64"``: promoted.
    seed
        Of the training's random numbers, and of all choices made here.
    steps
        How many steps the runs of ``training/*`` take.
    changed
        Arrays of the start that are not as the training makes them.

    Attributes
    ----------
    first
        The states of the first run of all, whose bits every other one must have.
    random
        The random operations inside modules, after a run: names and places.
    """

    def __init__(
        self,
        training: Training,
        units: Sequence[Units],
        *,
        dtype: str,
        seed: int = 0,
        steps: int = 4,
        changed: State | None = None,
    ) -> None:
        self.training, self.dtype, self.seed, self.steps = training, dtype, seed, steps
        self._changed = changed or {}
        self.model_units = tuple(units)
        self.first: States = []
        self._response: list[dict[str, float]] = []
        self._draws = 0
        self.random: tuple[tuple[str, str], ...] = ()

    @property
    def threshold(self) -> float:
        """How many responses a sound training may deviate by."""
        return THRESHOLDS[self.dtype]

    def at(self, changed: State) -> TrainingSetting:
        """Return the same setting from a start in which these arrays are different."""
        kept: dict[str, Any] = {"dtype": self.dtype, "seed": self.seed, "steps": self.steps}
        other = TrainingSetting(self.training, self.model_units, **kept, changed=changed)
        other._fresh = self._fresh
        # A first guess is dear enough to be shared; a suspicion adds draws of its own.
        other._response = [dict(step) for step in self.response()]
        other._draws = self._draws
        return other

    @cached_property
    def _fresh(self) -> tuple[State, Mapping[str, float], frozenset[str], bool]:
        """The state of fresh objects, the eps of each array, what is trained, and where."""
        run = self._begin()
        trained = frozenset(name for name, p in run.parameters.items() if p.requires_grad)
        on_gpu = any(parameter.is_cuda for parameter in run.parameters.values())
        return run.state(), run.precision(), trained, on_gpu

    @cached_property
    def start(self) -> State:
        """The state before the first step."""
        return {**self._fresh[0], **self._changed}

    @property
    def precision(self) -> Mapping[str, float]:
        """The eps of each array, in the dtype that its tensor has."""
        return self._fresh[1]

    @cached_property
    def result(self) -> States:
        """The states after the steps that are judged, without the model's random operations."""
        run = self._begin(noise=False)
        run.load(self._changed)
        states = list(states_of(run))
        self.random = tuple(run.random)
        # What torch.compile has made runs only outside of the modes that look for random numbers.
        states = states if self.quiet else list(self.run())
        # A large model's state is held once where it can be.
        return self.first if _are_identical(states, self.first) else states

    def require_sense(self) -> None:
        """Take the first steps, and see whether there is anything to judge.

        Raises
        ------
        TrainingError
            When a step raises, a loss is not finite, or there is neither a loss nor a change.
        """
        run, losses = self._begin(), []
        start, self.first = run.state(), []
        for state in states_of(run):
            losses.append(run.loss)
            self.first.append(state)
            if run.loss is not None and not math.isfinite(run.loss):
                raise TrainingError(f"the loss of step {run.taken - 1} is {run.loss}")
        if losses == [None] * JUDGED and not _moved(start, [run.state()]):
            raise TrainingError(
                "its steps call no backward(), return no loss and change nothing: a step that "
                "does without backward() returns its loss"
            )

    @property
    def size(self) -> int:
        """How many bytes a state takes after the first steps; 0 before them."""
        return sum(array.nbytes for array in self.first[-1].values()) if self.first else 0

    @property
    def on_gpu(self) -> bool:
        """Whether parameters are on a GPU, which may add in another order each time."""
        return self._fresh[3]

    @property
    def quiet(self) -> bool:
        """Whether runs pass through modes: to promote, or to leave random numbers out."""
        return bool(self.random) or self.dtype == "float64"

    @cached_property
    def units(self) -> tuple[Units, ...]:
        """The groups, with parts in everything that follows the model's arrays."""
        state = {**self.start, **self.result[-1]}
        return following(self.model_units, state, frozen_copies(self.start, self._fresh[2]))

    @cached_property
    def peers(self) -> Mapping[str, tuple[str, ...]]:
        """The arrays that each array may be exchanged with: it responds as much as any of them."""
        parts = [part for units in self.units for part in units.parts]
        return {name: part.arrays for part in parts for name in part.arrays}

    @cached_property
    def scale(self) -> Mapping[str, float]:
        """The largest entry of each array, before or after the steps."""
        states = [self.start, *self.result]
        names = dict.fromkeys(name for state in states for name in state)
        return {name: max(_largest(s[name]) for s in states if name in s) for name in names}

    def run(
        self,
        changed: State | None = None,
        *,
        noise: bool | None = None,
        order: Order | None = None,
        nudge: int | None = None,
    ) -> Iterator[dict[str, NDArray[Any]]]:
        """Yield the state after each of the ``JUDGED`` steps of a fresh run.

        Parameters
        ----------
        changed
            Arrays to load before the first step.
        noise
            Whether the model's random operations stay as they are; by default they are left out
            where there are any.
        order
            Of the samples of each batch.
        nudge
            Seed of what results in 16 bits are moved by.
        """
        run = self._begin(noise=not self.quiet if noise is None else noise)
        run.load({**self._changed, **(changed or {})})
        run.order = order
        if nudge is not None:
            run.nudge_by(nudge)
        yield from states_of(run)

    def response(self, draws: int = DRAWS) -> list[dict[str, float]]:
        """Return by step how far about one ulp in the parameters moves each array, at the most.

        It is infinite where that leads to numbers that are not finite.
        """
        if not self._response:
            eps = np.finfo(self.dtype).eps
            self._response = [
                {n: float(eps) * self.scale[n] for n in state} for state in self.result
            ]
        for draw in range(self._draws, draws):
            nudge = draw if draws > DRAWS else None
            moved = self.run(self.nearby(draw), nudge=nudge)
            for largest, state, other in zip(self._response, self.result, moved, strict=True):
                for name, array in state.items():
                    change = difference(array, other[name]) if name in other else math.nan
                    largest[name] = max(largest[name], change) if change == change else math.inf
        self._draws = max(self._draws, draws)
        return self._response

    def judged(self, name: str, step: int) -> bool:
        """Return whether an array's response is small enough to tell a bug from rounding."""
        return bool(self.response(self._draws)[step][name] <= POWER * self.scale[name])

    def nearby(self, draw: int) -> State:
        """Return parameters moved by up to one ulp and eps of the largest entry, by number."""
        random = Random(self.seed, _NUDGES, draw)
        changed: dict[str, NDArray[Any]] = {}
        for name in self.start:
            if name in self._fresh[2]:
                array, eps = self.start[name], self.precision[name]
                largest = _largest(array) or self.scale[name]
                shift = random.uniform(array.shape, -1.0, 1.0) * (abs(array) + largest) * eps
                changed[name] = (array + shift).astype(array.dtype)
        return changed

    def _begin(self, *, noise: bool = True) -> Run:
        return self.training.start(dtype=self.dtype, seed=self.seed, noise=noise)


def states_of(run: Run, steps: int = JUDGED) -> Iterator[dict[str, NDArray[Any]]]:
    """Yield the state after each further step of a run."""
    for _ in range(steps):
        run.step()
        yield run.state()


def permutation(setting: TrainingSetting) -> Finding:
    """Compare a run from rearranged units with the rearranged result, all groups at once."""
    if not setting.units:
        return Finding(counted=False, note="no equal units were found")

    def sides(number: int) -> tuple[States, States]:
        change = rearrangement(setting.units, Random(setting.seed, _ORDERS, number))
        return list(setting.run(changed_by(change, setting.start))), [
            dict(change(state)) for state in setting.result
        ]

    finding = _judge(setting, sides, "rearranged units", "the rearranged result")
    if finding.violation is not None:
        finding = replace(finding, violation=_blamed(setting, finding.violation))
    return finding


def samples(setting: TrainingSetting) -> Finding:
    """Compare a run whose batches are rearranged with the run as it is."""
    count = setting.training.start(dtype=setting.dtype, seed=setting.seed).samples()
    if count is None or count < 2:
        note = "its batch is not given as extras['batch'], or has no axis of at least two samples"
        return Finding(counted=False, note=note, applies=False)

    def sides(number: int) -> tuple[States, States]:
        order = cycle(count, Random(setting.seed, _SAMPLES, number))
        return list(setting.run(order=order)), setting.result

    return _judge(setting, sides, "rearranged samples", "the run as it is")


def clones(setting: TrainingSetting) -> Finding:
    """Make units of each group copies of others, and compare them after every step.

    Where groups overlap, all that the copies together make equal is made equal.
    """
    groups = [units for units in setting.units if not units.chosen]
    if not groups:
        return Finding(counted=False, note="no equal units were found")
    sample = {**setting.start, **setting.result[-1]}
    labels = classes(groups, sample)
    start = {n: a for n, a in setting.start.items() if n in labels}
    cloned = setting.at(merged(start, labels))

    def sides(_: int) -> tuple[States, States]:
        return cloned.result, [merged(state, labels) for state in cloned.result]

    finding = _judge(cloned, sides, "clones", "its clone", once=True)
    if finding.violation is not None:
        return replace(finding, violation=_other_clone(setting.units, finding.violation))
    if finding.counted and finding.split is not None:
        split = _other_clone(setting.units, finding.split)
        return replace(finding, violation=replace(split, rounding=True), split=None)
    return finding


def repeatable(setting: TrainingSetting) -> Finding:
    """Compare the training as it is with a second run, and a third after another one in between."""
    first = setting.first or list(setting.run(noise=True))
    violation = first_difference(first, setting.run(noise=True), "a second run")
    if violation is None:
        deque(setting.run(setting.nearby(0), noise=True), maxlen=0)
        violation = first_difference(first, setting.run(noise=True), "a run after another one")
    if violation is None:
        return Finding(counted=_moved(setting.start, first))
    cure = "; torch.use_deterministic_algorithms(True) makes sums of GPUs repeatable"
    message = violation.message + cure * setting.on_gpu
    return Finding(True, violation.ulps or 0, replace(violation, message=message))


def rearrangement(groups: Sequence[Units], random: Random) -> Rearrangement:
    """Return an order without fixed points of each group."""
    return Rearrangement(tuple((units, cycle(units.count, random)) for units in groups))


def changed_by(change: Rearrangement, state: State) -> State:
    """Return the rearranged arrays, without those that stay."""
    return {name: array for name, array in change(state).items() if array is not state[name]}


def cycle(count: int, random: Random) -> Order:
    """Return a random order that leaves nothing in its place."""
    line = random.permutation(count)
    order = np.empty(count, dtype=np.int_)
    order[line] = np.roll(line, 1)
    return order


def classes(groups: Sequence[Units], state: State) -> dict[str, NDArray[np.int_]]:
    """Return for each array with units which entry each entry is to equal.

    Entries are numbered through all of these arrays, one after the other. In each group the last
    unit becomes a copy of the first; of at least five units, the one after the middle a copy of
    the middle one. Entries that any of these exchanges connects are one class.
    """
    names = {array for units in groups for array in units.arrays}
    arrays = {name: array for name, array in state.items() if name in names}
    ends = np.cumsum([array.size for array in arrays.values()])
    labels = {
        name: np.arange(end - array.size, end).reshape(array.shape)
        for (name, array), end in zip(arrays.items(), ends, strict=True)
    }
    pairs = [
        (units, a, b)
        for units in groups
        for a, b in ((0, units.count - 1), (units.count // 2, units.count // 2 + 1))
        if a == 0 or b < units.count - 1
    ]
    while sum(_join(labels, *pair) for pair in pairs):  # each of them, every time
        pass
    return {name: label.ravel() for name, label in labels.items()}


def _join(labels: dict[str, NDArray[np.int_]], units: Units, a: int, b: int) -> bool:
    """Give entries that an exchange of two units connects the smaller label; say if any changed."""
    axes: dict[str, set[int]] = {}
    for part in units.parts:
        axes.setdefault(part.array, set()).add(part.axis)
    changed = False
    for part in units.parts:
        if part.arrays or len(axes[part.array]) > 1:
            continue
        view, (one, other) = part.view(labels[part.array]), part.places(units.count)[[a, b]]
        least = np.minimum(view[one], view[other])
        changed |= bool((view[one] != least).any() or (view[other] != least).any())
        view[one] = view[other] = least
    # An entry may move along two axes at once, or from one array to another.
    whole = {n for p in units.parts if p.arrays or len(axes[p.array]) > 1 for n in p.names}
    swapped = units.within(*whole).swapped({n: labels[n] for n in whole}, a, b) if whole else {}
    for name, label in swapped.items():
        least = np.minimum(label, labels[name])
        changed |= not np.array_equal(least, labels[name])
        labels[name] = least
    return changed


def merged(state: State, labels: Mapping[str, NDArray[np.int_]]) -> dict[str, NDArray[Any]]:
    """Return the state with each entry made equal to the one that ``classes`` names."""
    names, ends = [*labels], np.cumsum([label.size for label in labels.values()])
    firsts = dict(zip(names, (0, *ends), strict=False))
    new = dict(state)
    for name, label in labels.items():
        moved = np.flatnonzero(label != np.arange(firsts[name], firsts[name] + label.size))
        if name not in state or not len(moved):
            continue
        values = state[name].ravel().copy()
        owners = np.searchsorted(ends, label[moved], side="right")
        for owner in np.unique(owners):  # nearly always the array itself
            own, other = moved[owners == owner], names[owner]
            values[own] = state[other].ravel()[label[own] - firsts[other]]
        new[name] = values.reshape(state[name].shape)
    return new


def difference(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Return the largest absolute difference; NaN if a number is not finite."""
    if a.shape != b.shape:
        return math.nan
    with np.errstate(all="ignore"):
        gap = np.asarray(np.subtract(a, b))  # of numbers that are close this is exact
        return float(abs(gap).max(initial=0.0))


def _judge(
    setting: TrainingSetting,
    sides: Callable[[int], tuple[States, States]],
    changed: str,
    wanted: str,
    *,
    once: bool = False,
) -> Finding:
    """Measure one comparison; if it looks like a violation, again with all that is known to help.

    ``sides`` returns what was found and what was expected, for rearrangements by number.
    """
    if not all(map(finite, setting.result)):
        return Finding(counted=False, note="cannot judge: the run itself has numbers not finite")
    found, expected = sides(0)
    ratios = _ratios(setting, found, expected)
    if max(ratios.values(), default=0.0) > setting.threshold:
        setting.response(MORE_DRAWS)
        for number in range(1 if once else REARRANGEMENTS):
            again = _ratios(setting, *(sides(number) if number else (found, expected)))
            ratios = {key: min(ratio, again[key]) for key, ratio in ratios.items() if key in again}
    lies = {array for units in setting.units for array in units.arrays}
    if not any(step == 0 and (name in lies or not lies) for step, name in ratios):
        note = "cannot judge: one ulp in the parameters moves the arrays by 1 % and more"
        return Finding(counted=False, note=note)
    over = [key for key, ratio in ratios.items() if ratio > setting.threshold]
    first = [key for key in over if key[0] == min(over)[0]]
    # What a reader knows by name says more than what an optimiser keeps for it.
    step, array = max(
        first or ratios, key=lambda k: (k in over and "model." in k[1][:6], ratios[k])
    )
    ratio = ratios[step, array]
    finding = Finding(
        counted=_moved(setting.start, setting.result),
        margin=ratio / setting.threshold,
        ratio=ratio,
        threshold=setting.threshold,
        array=array,
        step=step + 1,
    )
    a, b = found[step][array], expected[step][array]
    if compare.identical(a, b):
        return finding
    entry = compare.largest_entry(abs(np.subtract(a, b, dtype=np.float64)))
    message = (
        f"after step {step + 1} of a run from {changed}, {array}{list(entry)} is {a[entry]!s}, "
        f"{wanted} is {b[entry]!s}: {ratio:.3g} times the response to one ulp, limit "
        f"{setting.threshold:.0f}"
    )
    violation = replace(
        Violation.between(a, b, entry, message, step + 1, array),
        allowed=setting.response(0)[step][array] * setting.threshold,
        rounding=False,
    )
    finding = replace(finding, max_ulps=violation.ulps or 0)
    return replace(finding, violation=violation) if over else replace(finding, split=violation)


def _ratios(setting: TrainingSetting, found: States, expected: States) -> dict[Any, float]:
    """Return deviation by response of each array that can be judged, by step and name."""
    setting.response()
    ratios: dict[tuple[int, str], float] = {}
    for step, (a, b) in enumerate(zip(found, expected, strict=True)):
        response = setting.response(0)[step]
        for name, array in b.items():
            if comparable(name, b) and setting.judged(name, step):
                deviation = difference(array, a[name]) if name in a else math.inf
                limit = max(response[n] for n in setting.peers.get(name, (name,)) if n in response)
                ratios[step, name] = deviation / limit if deviation else 0.0
    return ratios


def _blamed(setting: TrainingSetting, violation: Violation) -> Violation:
    """Name the group of units: of those in the array, the one that violates most on its own."""
    worst, blamed = 0.0, violation
    for units in setting.units:
        if violation.array in units.arrays:
            change = rearrangement([units], Random(setting.seed, _ORDERS))
            found = list(setting.run(changed_by(change, setting.start)))
            ratios = _ratios(setting, found, [dict(change(s)) for s in setting.result])
            ratio = ratios.get((violation.iteration - 1, violation.array), 0.0)
            if ratio > worst:
                pair = change.units_at(violation.array, violation.entry or ())
                worst, blamed = ratio, replace(violation, group=units.name, units=pair)
    return blamed


def _other_clone(groups: Sequence[Units], violation: Violation) -> Violation:
    """Say which units of which group are no longer equal."""
    assert violation.entry is not None  # it comes from a comparison of entries
    for units in groups:
        unit = units.unit_at(violation.array, violation.entry)
        if unit is None:
            continue
        other = 0 if unit == units.count - 1 else units.count // 2
        if unit not in (units.count - 1, units.count // 2 + 1) or other == unit:
            continue
        how_far = violation.message.rpartition(": ")[2]
        message = (
            f"after step {violation.iteration} unit {unit} of {units.name} is no longer equal to "
            f"unit {other}: {violation.array}{list(violation.entry)} is "
            f"{in_ulps(violation.ulps or 0)} off, {how_far}"
        )
        return replace(violation, message=message, group=units.name, units=(unit, other))
    return violation


def _moved(start: State, states: Sequence[State]) -> bool:
    return any(
        not compare.identical(array, state[name])
        for state in states
        for name, array in start.items()
        if name in state
    )


def _are_identical(one: Sequence[State], other: Sequence[State]) -> bool:
    return len(one) == len(other) and all(
        a.keys() == b.keys() and all(compare.identical(a[name], b[name]) for name in a)
        for a, b in zip(one, other, strict=True)
    )


def _largest(array: NDArray[Any]) -> float:
    with np.errstate(all="ignore"):
        return float(abs(array).max(initial=0.0))
