"""Whether the rounding of single steps can explain that clones split.

One ulp in the first step may have grown to anything by the last one, so a whole run says nothing.
Here every step starts from weights in which the units of a group are made equal again, and how far
apart that one step takes them is compared with its response to changes of one ulp.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from symmetry.data.random import Random
from symmetry.invariants.memo import remembered
from symmetry.invariants.perturbations import PERTURBATIONS
from symmetry.invariants.response import changes, largest_change, ratio, responses
from symmetry.invariants.two_layer import TwoLayer
from symmetry.targets.trainer import Trainer, TrainerError
from symmetry.units.state import State, finite, identical
from symmetry.units.units import Order, Units, first_of_group

_STREAM = 103  # of the setting's seed


class Rounding(NamedTuple):
    """The answer, and the largest deviation of a step by what rounding may make of it."""

    explains: bool
    margin: float


def rounding(trainer: Trainer, setting: TwoLayer) -> Rounding:
    """Judge the steps of a run from the setting's weights, one by one.

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
    plain, repeated = setting.begin(trainer), setting.begin(trainer)
    perturbed = [setting.begin(trainer) for _ in range(PERTURBATIONS)]
    random, here, margin = Random(setting.seed, _STREAM), setting, 0.0
    for _ in range(setting.iterations):
        try:
            result, again = plain(here), repeated(here)
            found = [
                changes(result, step(near), shift)
                for step, (near, shift) in zip(perturbed, here.nearby(random), strict=True)
            ]
        except TrainerError:
            break
        if not identical(result, again) or _partly_finite(result, units, first):
            return Rounding(False, math.inf)
        if not (finite(result) and all(np.isfinite(list(c.values())).all() for c in found)):
            break
        weights, response = units.rearranged(result, first), responses(result, found)
        here = here.at(weights)
        multiples = [
            ratio(largest_change(result[name], weights[name]), response[name]) for name in result
        ]
        margin = max(margin, max(multiples) / setting.limit)
        if margin > 1:
            return Rounding(False, margin)
    return Rounding(margin > 0, margin)


@remembered
def rounding_from_zero(trainer: Trainer, setting: TwoLayer) -> Rounding:
    """Judge the steps of a run from zero weights."""
    return rounding(trainer, setting.from_zero())


def _partly_finite(state: State, units: Units, first: Order) -> bool:
    """Return whether some units of a group are finite and others are not."""
    parts = [np.isfinite(units.rows(state, part)).all(axis=1) for part in units.parts]
    finite_units = np.logical_and.reduce(parts)
    return bool((finite_units != finite_units[first]).any())
