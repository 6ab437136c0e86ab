"""The law, step(g·s) = g·step(s), on a two-layer step, and what other targets share of it.

*Clones*: g exchanges units that start with the same bits, so g·s is s, and the state after every
step must be the same under g. *Rearrangement*: g moves units that differ; both sides are computed
and compared, in multiples of the step's response to a change of one ulp. *Repeatable*: g does
nothing, and the same run gives the same bits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from symmetry.data.random import Random
from symmetry.invariants.finding import Finding, Violation
from symmetry.invariants.memo import remembered
from symmetry.invariants.response import changes, largest_change, ratio, responses
from symmetry.invariants.two_layer import TwoLayer
from symmetry.targets.trainer import Trainer
from symmetry.units import compare
from symmetry.units.follow import Follower, Split
from symmetry.units.state import State, finite, identical, moved
from symmetry.units.units import Order, Units
from symmetry.units.words import groups_in_words, in_ulps

_ORDERS, _RESPONSE = 102, 104  # streams of the setting's seed
_FOLLOWED = (0, 1, 2, 4, 8, 16, 32)  # how many steps after the split its growth is noted


def clones(trainer: Trainer, setting: TwoLayer) -> Finding:
    """Compare units that start with the same bits after every step of a run.

    Witness: two clones and a different unit at the start, and one of the clones moved.
    """
    follower = Follower(setting.hidden_units, setting.start)
    follow(trainer, setting, [follower])
    counted = len(follower.groups) > 1 and follower.moved and follower.clones
    violation = violation_of(follower.split, setting.hidden_units) if follower.split else None
    return Finding(counted, follower.max_ulps, violation)


def follow(trainer: Trainer, setting: TwoLayer, followers: Iterable[Follower]) -> None:
    """Show a run to followers until all of them have seen their clones split."""
    followers = [follower for follower in followers if follower.clones]
    if not followers:
        return
    for step, state in enumerate(setting.run(trainer), start=1):
        for follower in followers:
            if follower.split is None:
                follower.see(step, state)
        if all(follower.split for follower in followers):
            return


def violation_of(split: Split, units: Units) -> Violation:
    """Describe a split as a violation."""
    odd, usual = split.units
    here, there = (f"{split.array}{list(entry)}" for entry in split.entries)
    return Violation(
        message=f"after step {split.step} {units.one} {odd} is no longer equal to unit {usual}: "
        f"{here} and {there} are {in_ulps(split.ulps)} apart",
        iteration=split.step,
        array=split.array,
        group=units.name,
        units=split.units,
        entry=split.entries[0],
        ulps=split.ulps,
        relative=split.relative,
        groups=groups_in_words(split.groups),
    )


def growth(trainer: Trainer, setting: TwoLayer, violation: Violation) -> Violation:
    """Add how far apart the two units of a split are 0, 1, 2, 4, 8, 16 and 32 steps later.

    The distance is the largest relative one in the violation's array. A large setting is followed
    for fewer steps, a diverging one until it overflows.
    """
    assert violation.units is not None  # a split has two
    odd, usual = violation.units
    units, first = setting.hidden_units, violation.iteration
    last = max(first, min(first + _FOLLOWED[-1], setting.affordable))
    noted = []
    for step, state in enumerate(setting.run(trainer, last), start=1):
        if step - first in _FOLLOWED:
            rows = [units.rows(state, p) for p in units.parts if p.array == violation.array]
            distance = max(compare.max_relative(row[odd], row[usual]) for row in rows)
            noted.append((step, distance))
    return replace(violation, growth=tuple(noted))


class Rearrangement(NamedTuple):
    """Units in another order: unit ``order[k]`` moves to place k, in each of the groups at once."""

    moves: tuple[tuple[Units, Order], ...]

    def __call__(self, state: State) -> State:
        """Return the state rearranged; arrays that it does not have are left out."""
        for units, order in self.moves:
            state = units.rearranged(state, order)
        return state

    @property
    def name(self) -> str:
        """What is rearranged, in words."""
        return " and ".join(units.name for units, _ in self.moves)

    def units_at(self, array: str, entry: tuple[int, ...]) -> tuple[int, int] | None:
        """Return the place that an entry belongs to, and the unit that has moved there."""
        for units, order in self.moves:
            place = units.unit_at(array, entry)
            if place is not None:
                return place, int(order[place])
        return None


def permutation(trainer: Trainer, setting: TwoLayer) -> Finding:
    """Compare a step from rearranged hidden units with the rearranged result of a step.

    Witness: differing units are moved; the state moved.
    """
    return rearranged(trainer, setting, setting.hidden_units)


def rearranged(trainer: Trainer, setting: TwoLayer, units: Units) -> Finding:
    """Compare a step from rearranged ``units`` with the rearranged result of a step.

    Nothing is judged where one of the steps gives a number that is not finite.

    Witness: differing units are moved; the state moved.
    """
    order = moving_order(setting, units)
    if order is None:
        return Finding(counted=False)
    change = Rearrangement(((units, order),))
    result, response = _response(trainer, setting)
    expected = change(result)
    changed = setting.at(change(setting.start))
    found = changed.begin(trainer)(changed)
    if response is None or not finite(found):
        return Finding(counted=False)
    multiples = {
        name: ratio(largest_change(found[name], expected[name]), response[name]) for name in found
    }
    worst = max(multiples, key=lambda name: multiples[name])
    margin = multiples[worst] / setting.limit
    allowed = response[worst] * setting.limit
    violation = _misplaced(change, worst, found, expected, multiples[worst], allowed)
    return Finding(
        counted=bool(moved(setting.start, result)),
        max_ulps=violation.ulps or 0,
        violation=violation if margin > 1 else None,
        margin=margin,
    )


def moving_order(setting: TwoLayer, units: Units) -> Order | None:
    """Return a random order of units that changes the start; None if all of them are equal."""
    drawn = Random(setting.seed, _ORDERS).permutation(units.count).astype(np.int_)
    for order in (drawn, np.roll(range(units.count), 1)):
        if not identical(units.rearranged(setting.start, order), setting.start):
            return order
    return None


def repeatable(trainer: Trainer, setting: TwoLayer) -> Finding:
    """Compare a run with a second one, and with a third after other runs in between.

    The first step with a number that is not finite is compared, too.

    Witness: something moved.
    """
    first = list(setting.run(trainer))
    others = (other.run(trainer) for other in setting.others())
    violation = unlike_repetition(first, lambda: setting.run(trainer), others, "other cases")
    ulps = violation.ulps if violation else None
    counted = any(moved(setting.start, state) for state in first)
    return Finding(counted, ulps or 0, violation)


def unlike_repetition(
    first: Iterable[State],
    again: Callable[[], Iterable[State]],
    between: Iterable[Iterable[State]],
    what: str,
) -> Violation | None:
    """Return where a second run has other bits than the first, or a third one after others."""
    violation = first_difference(first, again(), "a second run")
    if violation is None:
        for states in between:
            deque(states, maxlen=0)
        violation = first_difference(first, again(), f"a run after {what}")
    return violation


@remembered
def _response(trainer: Trainer, setting: TwoLayer) -> tuple[State, dict[str, float] | None]:
    """Return a step's result and its response; None for that where not all steps are finite."""
    result = setting.begin(trainer)(setting)
    found = [
        changes(result, near.begin(trainer)(near), shift)
        for near, shift in setting.nearby(Random(setting.seed, _RESPONSE))
    ]
    judged = finite(result) and all(np.isfinite(list(c.values())).all() for c in found)
    return result, responses(result, found) if judged else None


def _misplaced(
    change: Rearrangement,
    array: str,
    found: State,
    expected: State,
    multiple: float,
    allowed: float,
) -> Violation:
    """Describe the entry that is farthest from where it should be."""
    a, b = found[array], expected[array]
    entry = compare.largest_entry(abs(np.subtract(a, b, dtype=np.float64)))
    message = (
        f"one step from rearranged {change.name} gives {a[entry]!s} for "
        f"{array}{list(entry)}, the rearranged result of the same step {b[entry]!s}: "
        f"{multiple:.3g} times the step's response to a change of one ulp"
    )
    facts = {"allowed": allowed, "group": change.name, "units": change.units_at(array, entry)}
    return Violation.between(a, b, entry, message, 1, array, **facts)


def first_difference(
    first: Iterable[State], other: Iterable[State], which: str, *, begin: int = 1
) -> Violation | None:
    """Return where another run gives other bits than the first one; both begin with this step."""
    for step, (expected, found) in enumerate(zip(first, other, strict=False), start=begin):
        for array, a in expected.items():
            if array not in found or found[array].shape != a.shape:
                text = f"in step {step} {which} has no {array} of this shape"
                return Violation(text, step, array)
            if not compare.identical(a, found[array]):
                distances = compare.ulp_distances(a, found[array])
                entry = compare.largest_entry(distances)
                text = (
                    f"in step {step} {which} gives another {array}: "
                    f"{array}{list(entry)} is {in_ulps(int(distances[entry]))} from the first run's"
                )
                return Violation.between(a, found[array], entry, text, step, array)
    return None
