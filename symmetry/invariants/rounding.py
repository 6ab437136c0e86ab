"""Whether the rounding of single steps can explain that hidden units which start alike part.

One ulp in the first step may have grown to anything by the last one, so a whole run says nothing.
Here every step starts from weights in which the units of a group are made equal again, and how far
apart that one step takes them is compared with its response to changes of one ulp.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from symmetry.data.random import Random
from symmetry.invariants.alike import alike_at, first_of_group
from symmetry.invariants.memo import remembered
from symmetry.invariants.problem import Problem
from symmetry.invariants.response import (
    PERTURBATIONS,
    allowed_multiple,
    largest_change,
    perturbations,
    ratio,
    responses,
)
from symmetry.invariants.steps import Trainer, Weights, from_zero, start_of, take
from symmetry.units import compare

_STREAM = 103  # of the problem's seed


class Rounding(NamedTuple):
    """The answer, and the largest deviation of a step by what rounding may make of it."""

    explains: bool
    margin: float


def rounding(trainer: Trainer, problem: Problem) -> Rounding:
    """Judge the steps of a run from the problem's weights, one by one.

    The run, an identical one and the perturbed ones advance side by side, each on an instance of
    its own, so that what an optimiser remembers is as far along in all of them. They all go on
    from the same weights.

    Rounding does not explain

    - a step that takes units of a group farther apart than a multiple of its response;
    - a step that gives other bits when it is repeated: chance cannot be told from rounding;
    - a step after which some units of a group are finite and others are not.

    Otherwise the judgement ends before the first step that is not finite. If no step has taken
    units apart by then, nothing is explained.
    """
    first = first_of_group(alike_at(start_of(problem)), problem.hidden)
    plain, repeated = trainer.start(), trainer.start()
    perturbed = [trainer.start() for _ in range(PERTURBATIONS)]
    random, weights, margin = Random(problem.seed, _STREAM), start_of(problem), 0.0
    for _ in range(problem.iterations):
        here = replace(problem, w1=weights.w1, w2=weights.w2)
        result, again = (take(run, here, weights) for run in (plain, repeated))
        if not all(map(compare.identical, result, again)) or _partly_finite(result, first):
            return Rounding(False, math.inf)
        changes = [
            near.changes(result, take(run, near.problem, start_of(near.problem)))
            for run, near in zip(perturbed, perturbations(here, random), strict=True)
        ]
        if not (result.finite() and np.isfinite(changes).all()):
            break
        weights = result.units(first)
        deviations = map(largest_change, result, weights)
        multiples = map(ratio, deviations, responses(result, changes))
        margin = max(margin, max(multiples) / allowed_multiple(problem))
        if margin > 1:
            return Rounding(False, margin)
    return Rounding(margin > 0, margin)


@remembered
def rounding_from_zero(trainer: Trainer, problem: Problem) -> Rounding:
    """Judge the steps of a run from zero weights."""
    return rounding(trainer, from_zero(problem))


def _partly_finite(weights: Weights, first: NDArray[np.int_]) -> bool:
    """Return whether some units of a group are finite and others are not."""
    units = np.concatenate([weights.w1, weights.w2[1:].T]).T
    finite: NDArray[np.bool_] = np.isfinite(units).all(axis=1)
    return bool((finite != finite[first]).any())
