"""Whether the rounding of single steps can explain that clones split, and how a split grows.

One ulp in the first step may have grown to anything by the last one, so a whole run says nothing.
Here every step starts from weights in which the units of a group are made equal again, and how far
apart that one step takes them is compared with its response to changes of one ulp.
"""

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np

from symmetry.base.errors import TargetError
from symmetry.base.random import Random
from symmetry.invariants.measurement import Violation
from symmetry.steps.response import PERTURBATIONS, largest_change, ratio, response
from symmetry.steps.start import StepStart
from symmetry.units import compare
from symmetry.units.state import State, identical
from symmetry.units.units import Order, Units, first_of_group

_STREAM = 103  # of the setting's seed
_AFFORDABLE = 10**8  # n * i * h * iterations, beyond which the growth of a split is not followed
_FOLLOWED = (0, 1, 2, 4, 8, 16, 32)  # how many steps after the split its growth is noted


def explained(setting: StepStart) -> bool:
    """Return whether rounding explains that clones split in a run."""
    return 0 < rounding(setting) <= 1


@lru_cache(256)  # the columns of w1 and the rows of w2 split in the same run
def rounding(setting: StepStart) -> float:
    """Judge the steps of a run, one by one; return the largest deviation by what is allowed.

    The run, an identical one and the perturbed ones advance side by side, each on an instance of
    its own, so that what an optimiser remembers is as far along in all of them. They all go on
    from the same weights.

    Rounding does not explain

    - a step that takes clones farther apart than a multiple of its response;
    - a step that gives other bits when it is repeated: chance cannot be told from rounding;
    - a step after which some clones are finite and others are not.

    Otherwise the judgement ends before the first step that is not finite, or raises, as some do
    instead. If no step has split clones by then, nothing is explained.
    """
    units = setting.hidden_units
    first = first_of_group(units.groups(setting.start), units.count)
    plain, repeated = setting.begin(), setting.begin()
    perturbed = [setting.begin() for _ in range(PERTURBATIONS)]
    random, here, margin = Random(setting.seed, _STREAM), setting, 0.0
    for _ in range(setting.iterations):
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
        multiples = [ratio(largest_change(result[n], weights[n]), allowed[n]) for n in result]
        margin = max(margin, max(multiples) / setting.limit)
        if margin > 1:
            break
    return margin


def elaborated(setting: StepStart, violation: Violation) -> Violation:
    """Add to a split whether rounding explains it, and how it grew.

    That is how far apart its two units are 0, 1, 2, 4, 8, 16 and 32 steps later: the largest
    relative distance in the violation's array. A large setting is followed for fewer steps, a
    diverging one until it overflows, and a step that raises has no growth.
    """
    assert violation.units is not None  # a split has two
    (odd, usual), units, first = violation.units, setting.hidden_units, violation.iteration
    judged = replace(violation, rounding=explained(setting))
    last = max(first, min(first + _FOLLOWED[-1], _AFFORDABLE // (setting.x.size * setting.hidden)))
    noted = []
    try:
        for step, state in enumerate(setting.run(last), start=1):
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
