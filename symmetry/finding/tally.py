"""Units counted: how many could lie in the arrays, and which of them receive no gradient."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from symmetry.units.units import Units


def capacity(units: Units, groups: Sequence[Units], shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Return how many units there could be in the slices that lie in no other group."""
    free = []
    for part in (part for part in units.parts if not part.arrays):
        own = part.places(units.count).ravel().tolist()
        taken = places_of(groups, part.array, part.axis).difference(own)
        free.append((shapes[part.array][part.axis] - len(taken)) // part.block)
    return max(units.count, min(free, default=0))


def places_of(groups: Sequence[Units], array: str, axis: int) -> set[int]:
    """Return the slices of an array, along an axis, that lie in groups."""
    return {place for units in groups for place in units.along(array, axis)}


def units_without_gradient(
    units: Units, gradients: Mapping[str, NDArray[np.bool_]]
) -> tuple[int, ...]:
    """Return the numbers of the units without gradient, as those of dead ReLUs, or of experts.

    ``gradients`` holds the entries of parameters that received one.
    """
    parts = [part for part in units.parts if {*part.names} <= gradients.keys()]
    if not parts:
        return ()
    alive = np.any([units.rows(gradients, part).any(axis=1) for part in parts], axis=0)
    return tuple(np.flatnonzero(~alive).tolist())


def modules_without_gradient(
    trained: Collection[str], gradients: Mapping[str, NDArray[np.bool_]]
) -> tuple[str, ...]:
    """Return the paths of modules that are trained, but whose parameters receive no gradient.

    If modules lie in one another, it is the outermost one.
    """
    silent: dict[str, bool] = {}
    for name in (name for name in trained if name in gradients and name.startswith("model.")):
        words = name.split(".")[1:-1]
        for path in (".".join(words[:place]) for place in range(1, len(words) + 1)):
            silent[path] = silent.get(path, True) and not gradients[name].any()
    paths = [path for path, nothing in silent.items() if nothing]
    return tuple(sorted(p for p in paths if p.rpartition(".")[0] not in paths))
