"""Starts of runs: units made equal, different, moved by one ulp."""

from collections.abc import Callable, Sequence

import numpy as np

from symmetry.base.randomness.random import Random
from symmetry.units.state import Array, State
from symmetry.units.ulps import up_or_down
from symmetry.units.units import Units

_ODD = 3  # one unit of so many stays different, and no more than all but two
_SPREAD = 0.3  # how far units are moved apart, of their own size


def with_different(
    state: State,
    units: Units,
    some: Sequence[int],
    scale: Callable[[str], float],
    seed: int,
) -> dict[str, Array]:
    """Return the state with some of the units made different from all others.

    Entries that are positive everywhere, such as variances, stay so. ``scale`` is the usual size of
    an array's entries: it may be near zero.
    """
    random, new = Random(seed, 7), dict(state)
    for part in units.parts:
        if part.array not in new or new[part.array].dtype.kind != "f":
            continue
        for name in part.names:
            if new[name] is state[name]:
                new[name] = new[name].copy()
        views = [new[name][None] if part.arrays else part.view(new[name]) for name in part.names]
        size = max(float(np.std(views[0])), scale(part.array) / 3)  # what is tiny moves nothing
        positive = all(bool((view > 0).all()) for view in views)
        places = part.places(units.count)
        for unit in some:
            view, rows = (views[unit], [0]) if part.arrays else (views[0], places[unit])
            draws = _SPREAD * random.normals(view[rows].shape)
            more = 0 if positive else _SPREAD * size * random.normals(view[rows].shape)
            view[rows] = view[rows] * np.exp(draws) + more
    return new


def nudged(state: State, seed: int) -> dict[str, Array]:
    """Return the state with every floating-point number moved by one ulp, up or down."""
    floats = {name: array for name, array in state.items() if array.dtype.kind == "f"}
    return {**state, **up_or_down(floats, Random(seed, 8))}


def cloned(count: int, shift: int) -> Array:
    """Return an order in which most units are copies of one."""
    order = np.arange(count)
    clones = order if count <= _ODD else order[(order + shift) % _ODD != 0]
    order[clones] = clones[len(clones) // 2]
    return order
