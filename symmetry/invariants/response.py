"""How far one step's result moves when its arguments move by one ulp.

What rounding does to a step nobody can say who does not know its code. But a step that answers
changes of one ulp in its arguments with changes of size R cannot be expected to compute anything
to much better than R, whatever its activation, loss or optimiser. So deviations are measured in
multiples of R, each array apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np

from symmetry.units.state import Array, State, finite


def responses(result: State, changes: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Return R for each array, given the changes in each of the perturbed results.

    It is the largest one, but at least a quarter of the ulp of the largest entry.
    """
    largest = {name: _floor(array) for name, array in result.items()}
    for change in changes:
        for name in largest:
            largest[name] = max(largest[name], change[name])
    return largest


def changes(result: State, nearby: State, shift: State) -> dict[str, float]:
    """Return the largest change of each array of a result; NaN if not all is finite.

    ``shift`` is what the perturbation itself has added to an array; it does not count as a change.
    """
    if not finite(nearby):
        return dict.fromkeys(result, math.nan)
    return {
        name: largest_change(array, np.subtract(nearby[name], shift.get(name, 0), dtype=np.float64))
        for name, array in result.items()
    }


def largest_change(a: Array, b: Array) -> float:
    """Return the largest absolute difference of two arrays; finite ones do not overflow it."""
    with np.errstate(all="ignore"):
        return float(abs(np.subtract(a, b, dtype=np.float64)).max(initial=0.0))


def ratio(deviation: float, response: float) -> float:
    """Return how many times R a deviation is."""
    if deviation == 0:
        return 0.0
    return deviation / response if response else math.inf


def _floor(array: Array) -> float:
    return float(np.finfo(array.dtype).eps) * float(abs(array).max(initial=0.0)) / 4
