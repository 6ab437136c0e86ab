"""A state: every array that a step changes, by name."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmetry.units import compare

DTYPES = ("float32", "float64")  # that are checked

Array = NDArray[Any]
State = Mapping[str, Array]


def finite(state: State) -> bool:
    """Return whether every entry of every array is a finite number."""
    return all(bool(np.isfinite(array).all()) for array in state.values())


def identical(a: State, b: State) -> bool:
    """Return whether two states have the same bits in the arrays of ``a``; +0 equals -0."""
    return all(
        array.shape == b[name].shape and compare.identical(array, b[name])
        for name, array in a.items()
    )


def moved(start: State, now: State) -> tuple[str, ...]:
    """Return the names of the arrays of ``now`` in which an entry became another finite number."""
    return tuple(
        name
        for name, array in now.items()
        if bool((np.isfinite(array) & (array != start[name])).any())
    )
