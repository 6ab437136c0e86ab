"""How far one step's result moves when its arguments move by one ulp.

What rounding does to a step nobody can say who does not know its code. But a step that answers
changes of one ulp in its arguments with changes of size R cannot be expected to compute anything
to much better than R, whatever its activation, loss or optimiser. So deviations are measured in
multiples of R, for w1 and w2 apart.

Some changes are random, entry by entry; their effects on a sum cancel, while a kernel that sums in
another order may err in one direction. Therefore others are coherent: the same direction in every
entry.

Ulps of small weights are not all. A network's outputs are compared with labels of 0 and 1, and are
rounded as such. From zero weights, or tiny ones, with as many samples in each class, that rounding
is all that is left of the gradient; and no argument has an ulp of its size. So the outputs are
moved as well, by the bias row of w2, and this shift itself is taken off the result.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from symmetry.data.random import Random
from symmetry.invariants.problem import Floats, Problem
from symmetry.invariants.steps import Weights

RANDOM_CHANGES = 4
OUTPUT_CHANGES = 2
PERTURBATIONS = RANDOM_CHANGES + 8 + OUTPUT_CHANGES


@dataclass(frozen=True)
class Nearby:
    """A problem about one ulp away from another.

    Attributes
    ----------
    problem
        The perturbed problem.
    shift
        What has been added to w2 that does not count as a change of the result, or 0.
    """

    problem: Problem
    shift: Floats | float = 0.0

    def changes(self, result: Weights, nearby_result: Weights) -> tuple[float, float]:
        """Return the largest changes of w1 and w2, the shift apart; NaN if not all is finite."""
        if not nearby_result.finite():
            return math.nan, math.nan
        w2 = np.subtract(nearby_result.w2, self.shift, dtype=np.float64)
        return largest_change(result.w1, nearby_result.w1), largest_change(result.w2, w2)


def perturbations(problem: Problem, random: Random) -> Iterator[Nearby]:
    """Yield the ``PERTURBATIONS`` neighbours of a problem.

    First come random ones, each nonzero entry of x, w1 and w2 one ulp up or down. Then one ulp
    outward, and inward, in all of x, w1 and w2; in w1 alone; in w2 alone; and lr * (1 ± eps). At
    last eps is added to the bias of half of the classes, and taken from that of the others.
    """
    for _ in range(RANDOM_CHANGES):
        x, w1, w2 = (_up_or_down(a, random) for a in (problem.x, problem.w1, problem.w2))
        yield Nearby(replace(problem, x=x, w1=w1, w2=w2))
    for away_from_zero in (True, False):
        x, w1, w2 = (_moved(a, away_from_zero) for a in (problem.x, problem.w1, problem.w2))
        yield Nearby(replace(problem, x=x, w1=w1, w2=w2))
        yield Nearby(replace(problem, w1=w1))
        yield Nearby(replace(problem, w2=w2))
    eps = float(np.finfo(problem.dtype).eps)
    yield Nearby(replace(problem, lr=problem.lr * (1 + eps)))
    yield Nearby(replace(problem, lr=problem.lr * (1 - eps)))
    for _ in range(OUTPUT_CHANGES):
        w2 = problem.w2.copy()
        w2[0] += np.where(random.permutation(w2.shape[1]) % 2, eps, -eps).astype(w2.dtype)
        yield Nearby(replace(problem, w2=w2), np.subtract(w2, problem.w2, dtype=np.float64))


def responses(result: Weights, changes: Iterable[tuple[float, float]]) -> tuple[float, float]:
    """Return R for w1 and for w2, given the changes in each of the perturbed results.

    It is the largest one, but at least a quarter of the ulp of the largest entry.
    """
    w1, w2 = map(max, zip(map(_floor, result), *changes, strict=True))
    return w1, w2


def allowed_multiple(problem: Problem) -> float:
    """Return how many times R a deviation may be that rounding is to explain.

    Roundings add up like a random walk over the longest sum, or a little worse.
    """
    longest = max(*problem.x.shape, problem.hidden)
    return max(16.0, 4 * math.sqrt(longest))


def ratio(deviation: float, response: float) -> float:
    """Return how many times R a deviation is."""
    if deviation == 0:
        return 0.0
    return deviation / response if response else math.inf


def largest_change(a: Floats, b: Floats) -> float:
    """Return the largest absolute difference of two arrays; finite ones do not overflow it."""
    with np.errstate(all="ignore"):
        return float(abs(np.subtract(a, b, dtype=np.float64)).max(initial=0.0))


def _floor(matrix: Floats) -> float:
    return float(np.finfo(matrix.dtype).eps) * float(abs(matrix).max()) / 4


def _up_or_down(a: Floats, random: Random) -> Floats:
    up = random.integers(2, a.shape) == 1
    return _towards(np.where(up, np.inf, -np.inf).astype(a.dtype), a)


def _moved(a: Floats, away_from_zero: bool) -> Floats:
    return _towards(np.copysign(np.inf, a) if away_from_zero else np.zeros_like(a), a)


def _towards(target: Floats, a: Floats) -> Floats:
    """Return the neighbours of all entries in the direction of a target; zeros stay zeros."""
    with np.errstate(all="ignore"):
        return np.where(a == 0, a, np.nextafter(a, target))
