"""Steps that are meant to be this network's formulas: first-step, gradient and collapsed.

Entries of the new weights are compared with a step in float64 and its bound. An entry that is not
finite is a violation exactly where the bound is a number, which it is not where a sound step might
overflow.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from symmetry.invariants import compare
from symmetry.invariants.bound import Bounded, Doubles, step_bounds
from symmetry.invariants.finding import Finding, Violation
from symmetry.invariants.problem import Floats, Problem
from symmetry.invariants.steps import Trainer, Weights, from_zero, start_of, take


class _Comparison(NamedTuple):
    """A matrix of weights, what it should be, and the error allowed: 0 is exact, NaN anything.

    The words lead from one to the other: "w2[1, 3] is 0.2; *half the bias row is* 0.3".
    """

    words: str
    matrix: str
    found: Floats
    expected: Doubles
    error: Doubles


def first_step(trainer: Trainer, problem: Problem) -> Finding:
    """Compare w1 with zero, and hidden rows of w2 with half its bias row, after one step from zero.

    With zero weights every hidden unit is 1/2 for every sample, so that its gradient is half the
    bias's; and nothing flows back to w1 through a w2 of zeros.

    Witness: w2 moved.
    """
    problem = from_zero(problem)
    found = take(trainer.start(), problem, start_of(problem))
    _, w2 = step_bounds(problem.x, problem.y, problem.w1, problem.w2, problem.lr)
    zeros = np.zeros(found.w1.shape)
    half = np.repeat(found.w2[:1].astype(np.float64) / 2, problem.hidden, axis=0)
    error = w2.error[1:] + w2.error[0] / 2
    bias = found.w2[:1].astype(np.float64)  # its own half, so that only hidden rows can fail
    comparisons = (
        _Comparison("from zero weights it stays", "w1", found.w1, zeros, zeros),
        _Comparison(
            "half the bias row is",
            "w2",
            found.w2,
            np.concatenate([bias, half]),
            np.concatenate([np.full_like(bias, np.nan), error]),
        ),
    )
    counted = bool(found.w2.any() and np.isfinite(found.w2).any())
    return _judge(comparisons, 1, counted)


def gradient(trainer: Trainer, problem: Problem) -> Finding:
    """Compare one step from the problem's weights with the formulas.

    Witness: an entry whose update is larger than its bound.
    """
    start = start_of(problem)
    found = take(trainer.start(), problem, start)
    bounds = step_bounds(problem.x, problem.y, start.w1, start.w2, problem.lr)
    comparisons = _comparisons("by the formulas it is", found, bounds)
    return _judge(comparisons, 1, _visible(bounds))


def collapsed(trainer: Trainer, problem: Problem) -> Finding:
    """Compare each step of a run from zero weights with the step of the collapsed network.

    A step begins with unit 0 of the last one, repeated. The run ends with the step that splits the
    units (that it did is for the exact invariants to say), or with a number that is not finite.

    Witness: an entry whose update is larger than its bound.
    """
    problem = from_zero(problem)
    run, weights, finding = trainer.start(), start_of(problem), Finding(counted=False)
    for iteration in range(1, problem.iterations + 1):
        unit = weights.w1[:, :1], weights.w2[:2]
        bounds = step_bounds(problem.x, problem.y, *unit, problem.lr, copies=problem.hidden)
        found = take(run, problem, weights)
        comparisons = _comparisons("by the collapsed network it is", found, bounds)
        step = _judge(comparisons, iteration, _visible(bounds))
        finding = _worse(finding, step)
        if step.violation or not found.finite():
            break
        weights = _unit_0_repeated(found)
        if not all(map(compare.identical, weights, found)):
            break
    return finding


def _comparisons(
    words: str, found: Weights, bounds: tuple[Bounded, Bounded]
) -> tuple[_Comparison, ...]:
    """Pair matrices with their bounds; those of a collapsed network are repeated for each unit."""
    hidden = found.w1.shape[1]
    w1, w2 = bounds
    values, errors = (
        (
            np.broadcast_to(first, found.w1.shape),
            second if len(second) == hidden + 1 else second[[0] + [1] * hidden],
        )
        for first, second in ((w1.value, w2.value), (w1.error, w2.error))
    )
    return tuple(
        _Comparison(words, matrix, weights, value, error)
        for (matrix, weights), value, error in zip(found.matrices(), values, errors, strict=True)
    )


def _visible(bounds: tuple[Bounded, Bounded]) -> bool:
    """Return whether some update is larger than its error, so that leaving it out would show."""
    return any(bool((matrix.update > matrix.error).any()) for matrix in bounds)


def _unit_0_repeated(weights: Weights) -> Weights:
    hidden = weights.w1.shape[1]
    return Weights(weights.w1[:, [0] * hidden], weights.w2[[0] + [1] * hidden])


def _judge(comparisons: tuple[_Comparison, ...], iteration: int, counted: bool) -> Finding:
    """Return the finding of the entry that comes nearest to its bound, or goes farthest beyond."""
    margins = [_margins(comparison) for comparison in comparisons]
    worst = max((0, 1), key=lambda index: margins[index].max())
    entry = compare.largest_entry(margins[worst])
    margin = float(margins[worst][entry])
    words, matrix, found, expected, error = comparisons[worst]
    with np.errstate(over="ignore"):
        rounded = expected.astype(found.dtype)
    ulps = int(compare.ulp_distances(found, rounded)[entry]) if margin else 0
    if margin <= 1:
        return Finding(counted, ulps, None, margin)
    allowed = f" ± {error[entry]:.2g}" if error[entry] else ""
    violation = Violation(
        message=f"after step {iteration} {matrix}{list(entry)} is {found[entry]!s}; {words} "
        f"{rounded[entry]!s}{allowed}",
        iteration=iteration,
        matrix=matrix,
        entry=entry,
        ulps=ulps,
        relative=float(compare.relative_distances(found, rounded)[entry]),
    )
    return Finding(counted, ulps, violation, margin)


def _margins(comparison: _Comparison) -> Doubles:
    """Return deviations by the allowed ones, 0 where anything is allowed."""
    _, _, found, expected, error = comparison
    with np.errstate(all="ignore"):
        deviation = abs(found - expected)
        deviation[~np.isfinite(deviation)] = np.inf
        margins = np.where(deviation == 0, 0.0, deviation / error)
    return np.where(np.isnan(error), 0.0, margins)


def _worse(one: Finding, other: Finding) -> Finding:
    """Return the finding with the larger margin; either may have the witness."""
    worse = other if (other.margin or 0.0) >= (one.margin or 0.0) else one
    counted = one.counted or other.counted
    return Finding(counted, worse.max_ulps, worse.violation, worse.margin)
