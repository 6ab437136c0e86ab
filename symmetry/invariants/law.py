"""The law, step(g·s) = g·step(s), on any start of any target: written once, over units.

*Clones*: g exchanges units that start with the same bits, so g·s is s, and the state after every
step must be the same under g. *Rearrangement*: g moves units that differ; both sides are computed
and compared, in multiples of the step's response to a change of one ulp. *Repeatable*: g does
nothing, and the same run gives the same bits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

import numpy as np

from symmetry.data.random import Random
from symmetry.invariants.finding import Finding, Violation
from symmetry.invariants.memo import remembered
from symmetry.invariants.response import ratio, responses
from symmetry.invariants.setting import Setting, Target, largest_change
from symmetry.units import compare
from symmetry.units.follow import Follower, Split
from symmetry.units.state import State, finite, identical, moved
from symmetry.units.units import Order, Units
from symmetry.units.words import groups_in_words, in_steps, in_ulps

_ORDERS, _RESPONSE = 102, 104  # streams of the setting's seed
_FOLLOWED = (0, 1, 2, 4, 8, 16, 32)  # how many steps after the split its growth is noted


def clones(target: Target, setting: Setting) -> Finding:
    """Compare units that start with the same bits after every step of a run.

    Witness: two clones and a different unit at the start, and one of the clones moved.
    """
    followers = [(units, Follower(units, setting.start)) for units in setting.units]
    followers = [(units, follower) for units, follower in followers if follower.clones]
    if not followers:
        return Finding(counted=False)
    follow(target, setting, [follower for _, follower in followers])
    several = any(len(follower.groups) > 1 for _, follower in followers)
    counted = several and any(follower.moved for _, follower in followers)
    splits = [(f.split, units) for units, f in followers if f.split]
    if not splits:
        return Finding(counted)
    split, units = min(splits, key=lambda found: found[0].step)
    return Finding(counted, max(f.max_ulps for _, f in followers), violation_of(split, units))


def follow(target: Target, setting: Setting, followers: Iterable[Follower]) -> None:
    """Show a run to followers until all of them have seen their clones split."""
    followers = [follower for follower in followers if follower.clones]
    if not followers:
        return
    for step, state in enumerate(setting.run(target), start=1):
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


def growth(target: Target, setting: Setting, violation: Violation) -> Violation:
    """Add how far apart the two units of a split are 0, 1, 2, 4, 8, 16 and 32 steps later.

    The distance is the largest relative one in the violation's array. A large setting is followed
    for fewer steps, a diverging one until it overflows.
    """
    assert violation.units is not None  # a split has two
    odd, usual = violation.units
    (units,) = (units for units in setting.units if units.name == violation.group)
    first = violation.iteration
    last = max(first, min(first + _FOLLOWED[-1], setting.affordable))
    noted = []
    for step, state in enumerate(setting.run(target, last), start=1):
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


def permutation(target: Target, setting: Setting) -> Finding:
    """Compare a run from rearranged units with the rearranged result of a run.

    Witness: differing units are moved; the state moved.
    """
    return rearranged(target, setting, setting.units)


def rearranged(target: Target, setting: Setting, groups: Iterable[Units]) -> Finding:
    """Compare a run from rearranged ``groups`` with the rearranged result of a run.

    Nothing is judged where one of the runs gives a number that is not finite.

    Witness: differing units are moved; the state moved.
    """
    change = rearrangement(setting, groups)
    if change is None:
        return Finding(counted=False)
    result, response = _response(target, setting)
    expected = change(result)
    found = _result(target, setting.at(change(setting.start)))
    if response is None or not finite(found):
        return Finding(counted=False)
    multiples = {
        name: ratio(largest_change(found[name], expected[name]), response[name]) for name in found
    }
    worst = max(multiples, key=lambda name: multiples[name])
    margin = multiples[worst] / setting.limit
    allowed = response[worst] * setting.limit
    violation = _misplaced(setting, change, worst, found, expected, multiples[worst], allowed)
    return Finding(
        counted=bool(moved(setting.start, result)),
        max_ulps=violation.ulps or 0,
        violation=violation if margin > 1 else None,
        margin=margin,
    )


def rearrangement(setting: Setting, groups: Iterable[Units]) -> Rearrangement | None:
    """Return a random order of each group that changes the start; None if no order does."""
    random = Random(setting.seed, _ORDERS)
    moves = ((units, _moving_order(units, setting.start, random)) for units in groups)
    found = tuple((units, order) for units, order in moves if order is not None)
    return Rearrangement(found) if found else None


def repeatable(target: Target, setting: Setting) -> Finding:
    """Compare a run with a second one, and with a third after other runs in between.

    The first step with a number that is not finite is compared, too.

    Witness: something moved.
    """
    first = list(setting.run(target))
    others = (other.run(target) for other in setting.others())
    violation = unlike_repetition(first, lambda: setting.run(target), others, "other cases")
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
def _response(target: Target, setting: Setting) -> tuple[State, dict[str, float] | None]:
    """Return a run's result and its response; None for that where not all runs are finite."""
    result = _result(target, setting)
    changes = [
        near.changes(result, _result(target, near.setting))
        for near in setting.nearby(Random(setting.seed, _RESPONSE))
    ]
    judged = finite(result) and all(np.isfinite(list(c.values())).all() for c in changes)
    return result, responses(result, changes) if judged else None


def _result(target: Target, setting: Setting) -> State:
    """Return the state after the steps that are judged, or the last finite one before."""
    return deque(islice(setting.run(target), setting.judged), maxlen=1)[0]


def _moving_order(units: Units, start: State, random: Random) -> Order | None:
    """Return an order of the units that changes the start; None if all of them are equal."""
    for order in (random.permutation(units.count).astype(np.int_), np.roll(range(units.count), 1)):
        if not identical(units.rearranged(start, order), start):
            return order
    return None


def _misplaced(
    setting: Setting,
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
        f"{in_steps(setting.judged)} from rearranged {change.name} gives {a[entry]!s} for "
        f"{array}{list(entry)}, the rearranged result of the same step {b[entry]!s}: "
        f"{multiple:.3g} times the step's response to a change of one ulp"
    )
    facts = {"allowed": allowed, "group": change.name, "units": change.units_at(array, entry)}
    return Violation.between(a, b, entry, message, setting.judged, array, **facts)


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
