"""Clones of a two-layer step: whether they split in a run, and whether rounding explains it.

One ulp in the first step may have grown to anything by the last one, so a whole run says nothing
about rounding. So every step is judged by itself: it starts from weights in which the units of a
group are made equal again, and how far apart that one step takes them is compared with its response
to changes of one ulp.
"""

import math
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

import numpy as np

from symmetry.base.errors import TargetError
from symmetry.base.randomness.random import Random
from symmetry.law.judge import ratio
from symmetry.law.measurement import Measurement, Violation
from symmetry.steps.response import PERTURBATIONS, response
from symmetry.steps.start import StepStart
from symmetry.units import compare
from symmetry.units.follow import Follower
from symmetry.units.state import State, difference, identical
from symmetry.units.units import Order, Units, first_of_group
from symmetry.units.words import groups_in_words, in_ulps

_STREAM = 103  # of the start's seed
_AFFORDABLE = 10**8  # n * i * h * iterations, beyond which the growth of a split is not followed
_FOLLOWED = (0, 1, 2, 4, 8, 16, 32)  # how many steps after the split its growth is noted


def from_zero(start: StepStart, array: str) -> Measurement:
    """Compare the units' columns of w1, or rows of w2, in a run from zero weights."""
    return _split(_followed_from_zero(start)[array], start)


@lru_cache(256)
def _followed_from_zero(start: StepStart) -> dict[str, Follower]:
    units = start.hidden_units
    followers = {name: Follower(units.only_in(name), start.state) for name in units.arrays}
    _follow(start, followers.values())
    return followers


def clones(start: StepStart) -> Measurement:
    """Compare units that start with the same bits after every step of a run.

    Witness: two clones and a different unit at the start, and one of the clones moved.
    """
    follower = Follower(start.hidden_units, start.state)
    _follow(start, [follower])
    found = _split(follower, start)
    return replace(found, counted=found.counted and len(follower.groups) > 1)


def _follow(start: StepStart, followers: Iterable[Follower]) -> None:
    """Show a run to followers until all of them have seen their clones split."""
    followers = [follower for follower in followers if follower.clones]
    if not followers:
        return
    for step, state in enumerate(start.run(), start=1):
        for follower in followers:
            if follower.split is None:
                follower.see(step, state)
        if all(follower.split for follower in followers):
            return


def _split(follower: Follower, start: StepStart) -> Measurement:
    """Describe a split as a violation."""
    split, units = follower.split, start.hidden_units
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


def explained(start: StepStart) -> bool:
    """Return whether rounding explains that clones split in a run."""
    return 0 < rounding(start) <= 1


@lru_cache(256)  # the columns of w1 and the rows of w2 split in the same run
def rounding(start: StepStart) -> float:
    """Judge the steps of a run, one by one; return the largest deviation by what is allowed.

    The run, an identical one and the perturbed ones advance side by side, each on an instance of
    its own, so that what an optimiser remembers is as far along in all of them. They all go on
    from the same weights.

    Rounding does not explain

    - a step that takes clones farther apart than a multiple of its response;
    - a step that gives other bits when it is repeated: this may be chance or rounding;
    - a step after which some clones are finite and others are not.

    Otherwise the judgement ends before the first step that is not finite, or raises, as some do
    instead. If no step has split clones by then, nothing is explained.
    """
    units = start.hidden_units
    first = first_of_group(units.groups(start.state), units.count)
    plain, repeated = start.begin(), start.begin()
    perturbed = [start.begin() for _ in range(PERTURBATIONS)]
    random, here, margin = Random(start.seed, _STREAM), start, 0.0
    for _ in range(start.iterations):
        try:
            result, again = here.step(plain), here.step(repeated)
            near = [
                (there.step(run), shift)
                for run, (there, shift) in zip(perturbed, here.nearby(random), strict=True)
            ]
        except TargetError:
            break
        if not identical(result, again) or _partly_finite(result, units, first):
            return math.inf
        if (allowed := response(result, near)) is None:
            break
        weights = units.rearranged(result, first)
        here = here.at(weights)
        multiples = [ratio(difference(result[n], weights[n]), allowed[n]) for n in result]
        margin = max(margin, max(multiples) / start.limit)
        if margin > 1:
            break
    return margin


def elaborated(start: StepStart, violation: Violation) -> Violation:
    """Add to a split whether rounding explains it, and how it grew.

    That is how far apart its two units are 0, 1, 2, 4, 8, 16 and 32 steps later: the largest
    relative distance in the violation's array. A large case is followed for fewer steps, a
    diverging one until it overflows, and a step that raises has no growth.
    """
    assert violation.units is not None  # a split has two
    (odd, usual), units, first = violation.units, start.hidden_units, violation.iteration
    judged = replace(violation, rounding=explained(start))
    last = max(first, min(first + _FOLLOWED[-1], _AFFORDABLE // (start.x.size * start.hidden)))
    noted = []
    try:
        for step, state in enumerate(start.run(last), start=1):
            if step - first in _FOLLOWED:
                rows = [units.rows(state, p) for p in units.parts if p.array == violation.array]
                distance = max(compare.max_relative(row[odd], row[usual]) for row in rows)
                noted.append((step, distance))
    except TargetError:
        return judged
    return replace(judged, growth=tuple(noted))


def _partly_finite(state: State, units: Units, first: Order) -> bool:
    """Return whether some units of a group are finite and others are not."""
    parts = [np.isfinite(units.rows(state, part)).all(axis=1) for part in units.parts]
    finite_units = np.logical_and.reduce(parts)
    return bool((finite_units != finite_units[first]).any())
