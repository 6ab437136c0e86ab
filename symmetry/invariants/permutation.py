"""Permuting the hidden units before a step permutes its result, up to rounding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from symmetry.data.random import Random
from symmetry.invariants.finding import Finding, Violation
from symmetry.invariants.problem import Problem
from symmetry.invariants.response import (
    allowed_multiple,
    largest_change,
    perturbations,
    ratio,
    responses,
)
from symmetry.invariants.steps import Trainer, Weights, start_of, take
from symmetry.units import compare

_STREAM = 102  # of the problem's seed


def permutation(trainer: Trainer, problem: Problem) -> Finding:
    """Compare a step from permuted weights with the permuted result of a step.

    The bias row of w2 stays where it is. Nothing is judged where one of the steps gives a number
    that is not finite.

    Witness: the permutation moves a unit to the place of a different one; the weights moved.
    """
    random, start = Random(problem.seed, _STREAM), start_of(problem)
    order = _moving_order(start, random)
    if order is None:
        return Finding(counted=False)
    permuted = start.units(order)
    result = _step(trainer, problem)
    expected = result.units(order)
    found = _step(trainer, replace(problem, w1=permuted.w1, w2=permuted.w2))
    changes = [
        near.changes(result, _step(trainer, near.problem))
        for near in perturbations(problem, random)
    ]
    if not (result.finite() and found.finite() and np.isfinite(changes).all()):
        return Finding(counted=False)
    response = responses(result, changes)
    multiples = [
        ratio(largest_change(a, b), r) for a, b, r in zip(found, expected, response, strict=True)
    ]
    worst = 0 if multiples[0] >= multiples[1] else 1
    margin = multiples[worst] / allowed_multiple(problem)
    violation = replace(
        _violation(("w1", "w2")[worst], found, expected, order, multiples[worst]),
        allowed=response[worst] * allowed_multiple(problem),
    )
    return Finding(
        counted=not all(map(compare.identical, result, start)),
        max_ulps=violation.ulps or 0,
        violation=violation if margin > 1 else None,
        margin=margin,
    )


def order_for(problem: Problem) -> NDArray[np.int_] | None:
    """Return the order in which the hidden units of a problem are put; None if none moves any."""
    return _moving_order(start_of(problem), Random(problem.seed, _STREAM))


def _step(trainer: Trainer, problem: Problem) -> Weights:
    return take(trainer.start(), problem, start_of(problem))


def _moving_order(weights: Weights, random: Random) -> NDArray[np.int_] | None:
    """Return a random order of the hidden units that changes the weights; None if none does.

    The unit of place k is to be ``order[k]``.
    """
    hidden = weights.w1.shape[1]
    for order in (random.permutation(hidden).astype(np.int_), np.roll(np.arange(hidden), 1)):
        if not all(map(compare.identical, weights.units(order), weights)):
            return order
    return None  # a rotation leaves the weights as they are only if all units are alike


def _violation(
    matrix: str, found: Weights, expected: Weights, order: NDArray[np.int_], multiple: float
) -> Violation:
    """Describe the entry that is farthest from where it should be."""
    a, b = (getattr(weights, matrix) for weights in (found, expected))
    row, column = compare.largest_entry(abs(np.subtract(a, b, dtype=np.float64)))
    place = column if matrix == "w1" else row - 1
    return Violation(
        message=f"one step from permuted hidden units gives {a[row, column]!s} for "
        f"{matrix}[{row}, {column}], the permuted result of the same step {b[row, column]!s}: "
        f"{multiple:.3g} times the step's response to a change of one ulp",
        iteration=1,
        matrix=matrix,
        units=(place, int(order[place])) if place >= 0 else None,
        entry=(row, column),
        ulps=int(compare.ulp_distances(a, b)[row, column]),
        relative=float(compare.relative_distances(a, b)[row, column]),
    )
