"""The law on the start of a PyTorch training: rounding or bug, tensor by tensor and step by step.

A deviation is divided by the *response*: the largest change in runs whose parameters were moved by
about one ulp. Sound trainings stay near 1, whatever their optimiser. Before a violation is
reported, it must survive more draws of the response and other rearrangements.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from symmetry.base.random import Random
from symmetry.invariants.law import deviation, unlike_repetition
from symmetry.invariants.measurement import Measurement, Violation
from symmetry.steps.response import ratio
from symmetry.trainings.following import comparable
from symmetry.trainings.run import FixedArray
from symmetry.trainings.start import (
    JUDGED,
    MORE_DRAWS,
    POWER,
    States,
    TrainingStart,
    difference,
    has_moved,
)
from symmetry.units.merge import Pair, merged, sources
from symmetry.units.state import State, finite
from symmetry.units.units import Order, Units
from symmetry.units.words import in_ulps

_REARRANGEMENTS = 3  # that must all violate
_MARKED = 2  # unlike slices that a tensor has which only marks some of the units
_ORDERS, _SAMPLES = 110, 112  # streams of the seed

Key = tuple[int, str]  # a step, from 0, and an array


def _unless_unread(measure: Callable[[TrainingStart], Measurement]) -> Callable[..., Measurement]:
    """Let a measure of units accuse nobody of what numbers beside the forward explain.

    Units are found by the forward, so nobody knows how they lie in a tensor that is read by the
    backward alone, as feedback that is fixed at random, or by the update alone. If the units are
    treated equally once each such tensor has the same numbers for all of them, nothing else tells
    them apart. That settles it for noise, which the step draws for each unit anew. What a line
    reads is of one kind: a mask of a bias, which marks some units only, where it reads other masks.
    """

    def judged(setting: TrainingStart) -> Measurement:
        finding = measure(setting)
        if not _accuses(finding):
            return finding
        unread = [(u, _axes(u, setting)) for u in setting.begin().unread(JUDGED)]
        own = [u for u, axes in unread if axes and _is_of_units(u, axes, setting)]
        if not own:
            return finding
        fixed = [u for u in own if not u.drawn]
        places = {u.place for u in fixed}
        level = {u.number: axes for u, axes in unread if axes and (u in own or u.place in places)}
        levelled = measure(setting.levelling(level))
        if _accuses(levelled) or not levelled.counted:
            return finding
        if not fixed:
            setting.noise[own[0].place] = None
            return levelled
        return Measurement(counted=False, note=_not_known(fixed))

    return judged


@_unless_unread
def permutation(setting: TrainingStart) -> Measurement:
    """Compare a run from rearranged units with the rearranged result, all groups at once."""
    if not setting.units:
        return Measurement(counted=False, note="no equal units were found")

    def sides(number: int) -> tuple[States, States]:
        random = Random(setting.seed, _ORDERS, number)
        return _rearranged(setting, _orders(setting.units, random, setting.replicas))

    finding = _judge(setting, sides, "rearranged units", "the rearranged result")
    if finding.violation is not None:
        finding = replace(finding, violation=_blamed(setting, finding.violation))
    return finding


def samples(setting: TrainingStart) -> Measurement:
    """Compare a run whose batches are rearranged with the run as it is."""
    count = setting.begin(noise=True).samples()
    if count is None or count < 2:
        note = "its batch is not given as extras['batch'], or has no axis of at least two samples"
        return Measurement(counted=False, note=note, applies=False)

    def sides(number: int) -> tuple[States, States]:
        run, random = setting.begin(), Random(setting.seed, _SAMPLES, number)
        while run.order is None or not _mixes(run.order):
            run.order = _cycle(count, random)
        return list(run.states(JUDGED)), setting.result

    return _judge(setting, sides, "rearranged samples", "the run as it is")


@_unless_unread
def clones(setting: TrainingStart) -> Measurement:
    """Make units of each group copies of others, and compare them after every step.

    In each group the last unit becomes a copy of the first; of at least five units, the one after
    the middle a copy of the middle one. Where groups overlap, all that the copies together make
    equal is made equal.
    """
    groups = [units for units in setting.units if not units.chosen]
    if not groups:
        return Measurement(counted=False, note="no equal units were found")
    pairs = [
        (units, a, b)
        for units in groups
        for a, b in ((0, units.count - 1), (units.count // 2, units.count // 2 + 1))
        if a == 0 or units.count > 4
    ]
    source = sources(pairs, {**setting.start, **setting.result[-1]})
    start = {name: array for name, array in setting.start.items() if name in source}
    cloned = setting.at(merged(start, source))

    def sides(_: int) -> tuple[States, States]:
        return cloned.result, [merged(state, source) for state in cloned.result]

    finding = _judge(cloned, sides, "clones", "its clone", exact=True)
    if finding.violation is None:
        return finding
    return replace(finding, violation=_split(pairs, finding.violation))


def repeatable(setting: TrainingStart) -> Measurement:
    """Compare the training as it is with a second run, and a third after another one in between."""

    def run(changed: State | None = None) -> Iterator[State]:
        return setting.begin(changed, noise=True).states(JUDGED, copy=False)

    # A generator, so that this run is begun only if the second one is like the first.
    between = (run(setting.nearby(draw)) for draw in [0])
    violation = unlike_repetition(setting.fresh.states, run, between, "another one")
    if violation is None:
        return Measurement(counted=has_moved(setting.start, setting.fresh.states))
    cure = "; torch.use_deterministic_algorithms(True) makes sums of GPUs repeatable"
    message = violation.message + cure * setting.fresh.on_gpu
    return Measurement.violated(replace(violation, message=message))


def _not_known(fixed: Sequence[FixedArray]) -> str:
    """Say what tells units apart, and what to do about it."""
    first, more = fixed[0], len(fixed) - 1
    verb = f"and {more} more tell" if more else "tells"
    hint = "; named in extras as its parameter is, it moves along"
    if first.varies:
        hint = "; drawn by PyTorch, noise is left out"
    return (
        f"cannot judge: {first} {verb} units apart, and no forward reads it, so it is not known "
        f"which of its entries belong to which unit{'' if first.name else hint}"
    )


def _accuses(finding: Measurement) -> bool:
    return finding.violation is not None and not finding.violation.rounding


def _axes(unread: FixedArray, setting: TrainingStart) -> list[int]:
    """Return the axes of a tensor along which the units of some group may lie: flat ones, too."""
    state, parts = setting.result[-1], [p for u in setting.units for p in u.parts if not p.arrays]
    lengths = {state[part.array].shape[part.axis] for part in parts}
    lengths |= {state[part.array].size for part in parts}
    lengths.add(sum(state[name].size for name in setting.fresh.trained))
    return [axis for axis, length in enumerate(unread.array.shape) if length in lengths]


def _is_of_units(unread: FixedArray, axes: Sequence[int], setting: TrainingStart) -> bool:
    """Return whether a tensor has numbers of each unit's own by rights.

    Without a name it has not if it only marks some of the units. What an update alone reads is also
    to be a mask of entries, a copy of a parameter as it was at the start, or another one in each
    step, as noise is that others than PyTorch draw.
    """
    array = unread.array
    if unread.name is not None or unread.drawn:
        return True
    if max(len(np.unique(array.swapaxes(0, axis), axis=0)) for axis in axes) <= _MARKED:
        return False
    copied = any(np.array_equal(array, other) for other in setting.fresh.state.values())
    return unread.backward or unread.varies or copied or bool(np.isin(array, (0, 1)).all())


def _judge(
    setting: TrainingStart,
    sides: Callable[[int], tuple[States, States]],
    changed: str,
    wanted: str,
    *,
    exact: bool = False,
) -> Measurement:
    """Measure one comparison; if it looks like a violation, again with all that is known to help.

    ``sides`` returns what was found and what was expected, for rearrangements by number. Those of
    an ``exact`` comparison are all the same, and whatever differs violates it, if only by rounding.
    """
    if not all(map(finite, setting.result)):
        return Measurement(
            counted=False, note="cannot judge: the run itself has numbers not finite"
        )
    found, expected = sides(0)
    ratios = _ratios(setting, found, expected)
    if max(ratios.values(), default=0.0) > setting.threshold:
        setting.response(MORE_DRAWS)
        for number in range(1 if exact else _REARRANGEMENTS):
            again = _ratios(setting, *(sides(number) if number else (found, expected)))
            ratios = {key: min(ratio, again[key]) for key, ratio in ratios.items() if key in again}
    lies = _lies(setting)
    if not any(step == 0 and (name in lies or not lies) for step, name in ratios):
        note = "cannot judge: one ulp in the parameters moves the arrays by 1 % and more"
        return Measurement(counted=False, note=note)
    step, array = _worst(ratios, setting.threshold)
    return deviation(
        found[step][array],
        expected[step][array],
        f"after step {step + 1} of a run from {changed}, {{at}} is {{a!s}}, {wanted} is {{b!s}}: "
        f"{ratios[step, array]:.3g} times the response to one ulp, limit {setting.threshold:.0f}",
        step + 1,
        array,
        ratio=ratios[step, array],
        limit=setting.threshold,
        response=setting.response()[step][array],
        counted=has_moved(setting.start, setting.result),
        exact=exact,
        rounding=ratios[step, array] <= setting.threshold,
    )


def _worst(ratios: Mapping[Key, float], threshold: float) -> Key:
    """Return where the largest ratio is: of those above the threshold, in the first step.

    What a reader knows by name says more than what an optimiser keeps for it.
    """
    over = [key for key, ratio in ratios.items() if ratio > threshold]
    first = [key for key in over if key[0] == min(over)[0]]
    return max(first or ratios, key=lambda k: (k in over and "model." in k[1][:6], ratios[k]))


def _ratios(setting: TrainingStart, found: States, expected: States) -> dict[Key, float]:
    """Return deviation by response of each array that can be judged, by step and name.

    Where the response is large, a bug cannot be told from rounding. Of an array that changes its
    shape nobody knows where the units lie.
    """
    ratios: dict[Key, float] = {}
    lies = _lies(setting)
    for step, response in enumerate(setting.response()):
        a, b = found[step], expected[step]
        for name, array in b.items():
            if setting.start.get(name, array).shape != array.shape:
                continue
            if comparable(name, b, lies) and response[name] <= POWER * setting.scale[name]:
                deviation = difference(array, a[name]) if name in a else math.inf
                peers = [response[n] for n in setting.peers.get(name, (name,)) if n in response]
                ratios[step, name] = ratio(deviation, max(peers))
    return ratios


def _lies(setting: TrainingStart) -> set[str]:
    """Return the arrays that units lie in."""
    return {array for units in setting.units for array in units.arrays}


def _orders(
    groups: Sequence[Units], random: Random, replicas: Mapping[str, object]
) -> list[tuple[Units, Order]]:
    """Return an order without fixed points of each group; ``replicas`` have the same one."""
    kinds = [replicas.get(units.name, units.name) for units in groups]
    orders: dict[object, Order] = {}
    for kind, units in zip(kinds, groups, strict=True):
        orders.setdefault(kind, _cycle(units.count, random))
    return [(units, orders[kind]) for kind, units in zip(kinds, groups, strict=True)]


def _rearranged(
    setting: TrainingStart, orders: Iterable[tuple[Units, Order]]
) -> tuple[States, States]:
    """Return the states of a run from the rearranged start, and the rearranged ones."""

    def change(state: State) -> State:
        for units, order in orders:
            state = units.rearranged(state, order)
        return state

    start = change(setting.start)
    moved = {name: array for name, array in start.items() if array is not setting.start[name]}
    return list(setting.begin(moved).states(JUDGED)), [
        dict(change(state)) for state in setting.result
    ]


def _cycle(count: int, random: Random) -> Order:
    """Return a random order that leaves nothing in its place.

    Of four and more it does not shift all by one distance: what shifts units itself, as a wrong
    index does, would go together with it.
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


def _blamed(setting: TrainingStart, violation: Violation) -> Violation:
    """Name the group of units: of those in the array, the one that violates most on its own."""
    worst, blamed = 0.0, violation
    for units in setting.units:
        if violation.array in units.arrays:
            orders = _orders([units], Random(setting.seed, _ORDERS), setting.replicas)
            ratios = _ratios(setting, *_rearranged(setting, orders))
            own = ratios.get((violation.iteration - 1, violation.array), 0.0)
            if own > worst:
                pair = units.pair_at(violation.array, violation.entry or (), orders[0][1])
                worst, blamed = own, replace(violation, group=units.name, units=pair)
    return blamed


def _split(pairs: Sequence[Pair], violation: Violation) -> Violation:
    """Say which units of which group are no longer equal."""
    entry = violation.entry or ()
    for units, usual, odd in pairs:
        if units.unit_at(violation.array, entry) == odd:
            how_far = violation.message.rpartition(": ")[2]
            message = (
                f"after step {violation.iteration} unit {odd} of {units.name} is no longer equal "
                f"to unit {usual}: {violation.array}{list(entry)} is "
                f"{in_ulps(violation.ulps or 0)} off, {how_far}"
            )
            return replace(violation, message=message, group=units.name, units=(odd, usual))
    return violation
