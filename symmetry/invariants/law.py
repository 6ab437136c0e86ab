"""The law, step(g·s) = g·step(s): what steps and trainings share of it, and the law on a step.

*Clones*: g exchanges units that start with the same bits, so g·s is s, and the state after every
step must be the same under g. *Rearrangement*: g moves units that differ; both sides are computed
and compared, in multiples of the step's response to a change of one ulp. *Repeatable*: g does
nothing, and the same run gives the same bits.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from symmetry.base.random import Random
from symmetry.invariants.measurement import Measurement, Violation
from symmetry.steps.response import largest_change, ratio
from symmetry.steps.start import StepStart
from symmetry.units import compare
from symmetry.units.follow import Follower
from symmetry.units.state import Array, State, finite, identical, moved
from symmetry.units.units import Order, Units
from symmetry.units.words import groups_in_words, in_ulps

_ORDERS = 102  # stream of the setting's seed


def deviation(
    found: Array,
    expected: Array,
    text: str,
    step: int,
    array: str,
    *,
    ratio: float,
    limit: float,
    response: float,
    counted: bool,
    exact: bool = False,
    **facts: Any,
) -> Measurement:
    """Return what was found where a state is farthest from what it should be.

    That is after this step in this array: its deviation is ``ratio`` times its ``response``, and
    up to ``limit`` rounding explains it. The text is as of ``Violation.between``. Of an ``exact``
    comparison any difference is a violation, if only by rounding.
    """
    finding = Measurement(counted, margin=ratio / limit, ratio=ratio, threshold=limit, array=array)
    if compare.identical(found, expected):
        return finding
    entry = compare.largest_entry(abs(np.subtract(found, expected, dtype=np.float64)))
    facts |= {"entry": entry, "allowed": response * limit}
    violation = Violation.between(found, expected, text, step, array, **facts)
    violated = ratio > limit or (exact and counted)
    ulps = violation.ulps or 0
    return replace(finding, max_ulps=ulps, violation=violation if violated else None)


def from_zero(setting: StepStart, array: str) -> Measurement:
    """Compare the units' columns of w1, or rows of w2, in a run from zero weights."""
    return _split(_followed_from_zero(setting)[array], setting)


@lru_cache(256)
def _followed_from_zero(setting: StepStart) -> dict[str, Follower]:
    units = setting.hidden_units
    followers = {name: Follower(units.within(name), setting.start) for name in units.arrays}
    _follow(setting, followers.values())
    return followers


def clones(setting: StepStart) -> Measurement:
    """Compare units that start with the same bits after every step of a run.

    Witness: two clones and a different unit at the start, and one of the clones moved.
    """
    follower = Follower(setting.hidden_units, setting.start)
    _follow(setting, [follower])
    finding = _split(follower, setting)
    return replace(finding, counted=finding.counted and len(follower.groups) > 1)


def _follow(setting: StepStart, followers: Iterable[Follower]) -> None:
    """Show a run to followers until all of them have seen their clones split."""
    followers = [follower for follower in followers if follower.clones]
    if not followers:
        return
    for step, state in enumerate(setting.run(), start=1):
        for follower in followers:
            if follower.split is None:
                follower.see(step, state)
        if all(follower.split for follower in followers):
            return


def _split(follower: Follower, setting: StepStart) -> Measurement:
    """Describe a split as a violation."""
    split, units = follower.split, setting.hidden_units
    if split is None:
        return Measurement(follower.moved, follower.max_ulps)
    odd, usual = split.units
    here, there = (f"{split.array}{list(entry)}" for entry in split.entries)
    violation = Violation(
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
    return Measurement(follower.moved, follower.max_ulps, violation)


def rearranged(setting: StepStart, kind: str = "hidden units") -> Measurement:
    """Compare a step from rearranged units of a kind with the rearranged result of a step.

    Nothing is judged where one of the steps gives a number that is not finite.

    Witness: differing units are moved; the state moved.
    """
    units = setting.units(kind)
    order = moving_order(setting, units)
    if order is None:
        return Measurement(counted=False)
    result, response = setting.result, setting.response
    found = setting.at(units.rearranged(setting.start, order)).step()
    expected = units.rearranged(result, order)
    if response is None or not finite(found):
        return Measurement(counted=False)
    ratios = {n: ratio(largest_change(found[n], expected[n]), response[n]) for n in found}
    worst = max(ratios, key=lambda name: ratios[name])
    finding = deviation(
        found[worst],
        expected[worst],
        f"one step from rearranged {kind} gives {{a!s}} for {{at}}, the rearranged result of the "
        f"same step {{b!s}}: {ratios[worst]:.3g} times the step's response to a change of one ulp",
        1,
        worst,
        ratio=ratios[worst],
        limit=setting.limit,
        response=response[worst],
        counted=bool(moved(setting.start, result)),
    )
    if (violation := finding.violation) is None:
        return finding
    pair = units.pair_at(worst, violation.entry or (), order)
    return replace(finding, violation=replace(violation, group=kind, units=pair))


def moving_order(setting: StepStart, units: Units) -> Order | None:
    """Return a random order of units that changes the start; None if all of them are equal."""
    drawn = Random(setting.seed, _ORDERS).permutation(units.count).astype(np.int_)
    for order in (drawn, np.roll(range(units.count), 1)):
        if not identical(units.rearranged(setting.start, order), setting.start):
            return order
    return None


def repeatable(setting: StepStart) -> Measurement:
    """Compare a run with a second one, and with a third after other runs in between.

    The first step with a number that is not finite is compared, too.

    Witness: something moved.
    """
    first = list(setting.run())
    others = (other.run() for other in setting.others())
    violation = unlike_repetition(first, setting.run, others, "other cases")
    counted = any(moved(setting.start, state) for state in first)
    return (
        replace(Measurement.violated(violation), counted=counted)
        if violation
        else Measurement(counted)
    )


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
                text = f"in step {step} {which} gives another {{array}}: {{at}} is {{ulps}} from "
                return Violation.between(a, found[array], text + "the first run's", step, array)
    return None
