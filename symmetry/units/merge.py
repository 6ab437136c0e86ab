"""Making units copies of others in groups that overlap: copies of copies are equal, too."""

from collections.abc import Iterable, Mapping

import numpy as np

from symmetry.units.state import Array, State
from symmetry.units.units import Order, Units

Pair = tuple[Units, int, int]


def sources(pairs: Iterable[Pair], state: State) -> dict[str, Order]:
    """Return for each array with units which entry each entry is to equal.

    Entries are numbered through all of these arrays, one after the other. Two entries become equal
    if an exchange of one of the pairs of units, or several of them in turn, moves one to the other.
    """
    pairs = tuple(pairs)
    names = {array for units, _, _ in pairs for array in units.arrays}
    arrays = {name: array for name, array in state.items() if name in names}
    ends = np.cumsum([array.size for array in arrays.values()])
    labels = {
        name: np.arange(end - array.size, end).reshape(array.shape)
        for (name, array), end in zip(arrays.items(), ends, strict=True)
    }
    while sum(_join(labels, pair) for pair in pairs):  # each of them, every time
        pass
    return labels


def merged(state: State, sources: Mapping[str, Order]) -> dict[str, Array]:
    """Return the state with each entry made equal to the one that ``sources`` names."""
    known = {name: state.get(name, np.zeros(label.shape)) for name, label in sources.items()}
    values = np.concatenate([array.ravel() for array in known.values()])
    new = dict(state)
    for name in state.keys() & sources.keys():
        new[name] = values[sources[name]].astype(state[name].dtype)
    return new


def _join(labels: dict[str, Order], pair: Pair) -> bool:
    """Give entries that an exchange of two units connects the smaller label; say if any changed."""
    units, a, b = pair
    changed = False
    for name, label in units.swapped(labels, a, b).items():
        if label is not labels[name]:
            least = np.minimum(label, labels[name])
            changed |= not np.array_equal(least, labels[name])
            labels[name] = least
    return changed
