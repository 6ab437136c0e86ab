"""A state, every array that a step changes by name; the dtypes in which states are compared."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmetry.units import compare

Array = NDArray[Any]
State = Mapping[str, Array]


def finite(state: State, start: State | None = None) -> bool:
    """Return whether every entry of every array is a finite number.

    Arrays that have others at the ``start``, such as a mask of infinities, are left out.
    """
    return all(
        bool(np.isfinite(array).all())
        or bool(start and name in start and not np.isfinite(start[name]).all())
        for name, array in state.items()
    )


def identical(a: State, b: State) -> bool:
    """Return whether two states have the same bits in the arrays of ``a``; +0 equals -0."""
    return all(compare.identical(array, b[name]) for name, array in a.items())


def has_moved(start: State, states: Iterable[State]) -> bool:
    """Return whether an entry of an array of the start is another finite number in a state."""
    return any(
        array.shape != start[name].shape
        or bool((np.isfinite(array) & (array != start[name])).any())
        for state in states
        for name, array in state.items()
        if name in start
    )


def largest(array: Array) -> float:
    """Return the largest magnitude of an entry."""
    with np.errstate(all="ignore"):
        return max(float(array.max(initial=0.0)), -float(array.min(initial=0.0)))


def size(array: Array) -> float:
    """Return the largest finite magnitude of an entry."""
    found = largest(array)
    return found if found < math.inf else largest(np.where(np.isfinite(array), array, 0.0))


def difference(a: Array, b: Array | None) -> float:
    """Return the largest absolute difference.

    It is infinite where one is missing, or an entry is not finite, and not the same in both.
    """
    if b is None or a.shape != b.shape:
        return math.inf
    with np.errstate(all="ignore"):
        gap = largest(np.asarray(np.subtract(a, b)))  # of numbers that are close this is exact
        if math.isfinite(gap):
            return gap
        gap = largest(np.where(compare.equal(a, b), 0.0, np.subtract(a, b)))
    return math.inf if math.isnan(gap) else gap
