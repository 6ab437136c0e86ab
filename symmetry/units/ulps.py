"""Numbers moved by one ulp."""

import numpy as np

from symmetry.base.randomness.random import Random
from symmetry.units.compare import Floats
from symmetry.units.state import Array, State


def up_or_down(state: State, random: Random) -> dict[str, Array]:
    """Return the arrays with every number one ulp up or down at random; zeros stay zeros."""
    return {name: towards(signs(random, a.shape) * np.inf, a) for name, a in state.items()}


def is_discrete(array: Array) -> bool:
    """Return whether an array holds only whole numbers, or two values, as a mask does."""
    return bool(np.all(array == np.floor(array))) or np.unique(array).size <= 2


def signs(random: Random, shape: tuple[int, ...]) -> Array:
    """Return -1 or 1 at random for each entry."""
    return np.where(random.integers(2, shape) == 1, 1.0, -1.0)


def towards(target: Array, a: Floats) -> Floats:
    """Return the neighbours of all entries in the direction of a target; zeros stay zeros."""
    with np.errstate(all="ignore"):
        return np.where(a == 0, a, np.nextafter(a, target.astype(a.dtype)))
