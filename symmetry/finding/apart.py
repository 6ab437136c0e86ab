"""Slices of values that the data tell apart, so that no exchange of units can exchange them.

Samples and positions are told apart by what they are made of: where some of the data are replaced,
one slice changes and its neighbour does not. Units come of the same data.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from symmetry.finding import actions
from symmetry.finding.actions import Array
from symmetry.trainings.trace import Trace

Slot = tuple[int, int]  # a value and an axis
Places = Sequence[int]  # along an axis: slices that come of the data that are replaced

_MOST = 3  # axes of the data that are looked at: samples, and positions


def apart_by_data(trace: Trace) -> frozenset[Slot]:
    """Return the values and axes whose first two slices come of other data.

    Or of some samples alone, as where samples and heads have one axis: units come of all samples.
    What comes from outside of the step are data, unless it is a leaf. Of all that has an axis of
    one size in one place, those slices are replaced that are as the first that is not like slice 0:
    equal ones stay equal.
    """
    found: set[Slot] = set()
    for axis, data in itertools.islice(_data(trace), _MOST):
        for slot, places in _followed(trace, axis, data):
            if axis == 0 or 1 in places:
                found.add(slot)
    return frozenset(found)


def _data(trace: Trace) -> Iterator[tuple[int, dict[int, Places]]]:
    """Yield an axis, and slices of data along it, by value: for each size that it has."""
    found: dict[tuple[int, int], dict[int, Places]] = defaultdict(dict)
    for value, array in enumerate(trace.arrays):
        if array.size and value not in trace.maker and value not in trace.names:
            for axis, size in enumerate(array.shape):
                slices = np.moveaxis(array, axis, 0).reshape(size, -1)
                unlike = [*np.flatnonzero((slices != slices[:1]).any(axis=1))]
                if unlike:
                    alike = np.flatnonzero((slices == slices[unlike[0]]).all(axis=1))
                    found[axis, size][value] = alike.tolist()
    yield from ((axis, found[axis, size]) for axis, size in sorted(found, key=lambda k: k[0]))


def _followed(trace: Trace, axis: int, data: Mapping[int, Places]) -> Iterator[tuple[Slot, Places]]:
    """Yield values with an axis, and slices along it that come of other data than slice 0.

    Each operation is asked by itself, and of one input and axis at a time: where attention takes
    everything into account, positions are still those of the queries.
    """
    known: dict[int, dict[int, Places]] = defaultdict(dict)
    for value, places in data.items():
        known[value][axis] = places
    for k, node in enumerate(trace.nodes):
        for x, i in enumerate(node.inputs):
            for along, places in known[i].items() if i in known else ():
                replaced = _replaced(trace.arrays[i], along, places)
                results = trace.perform(k, {x: replaced}) or ()
                for value, result in zip(node.outputs, results, strict=False):
                    for own, unlike in _unlike_first(trace.arrays[value], result):
                        if own not in known[value]:
                            known[value][own] = unlike
                            yield (value, own), unlike


def _replaced(array: Array, axis: int, places: Places) -> Array:
    """Return an array whose slices in some places are its slice 0."""
    other = np.array(array, order="C")
    np.moveaxis(other, axis, 0)[[*places]] = array.take(0, axis)
    return other


def _unlike_first(old: Array, new: Array) -> Iterator[tuple[int, Places]]:
    """Yield the axes along which some slices do not change as slice 0 does, with these.

    Zeros tell nothing: a ReLU or a mask may have made them, of whatever there was.
    """
    if old.shape != new.shape:
        return
    changes = actions.changed(old, new)
    stays = ~changes & (old != 0)
    for axis in range(old.ndim) if changes.any() else ():
        unlike = (changes & stays.take([0], axis)) | (stays & changes.take([0], axis))
        places = np.flatnonzero(unlike.any(tuple({*range(old.ndim)} - {axis})))
        if len(places):
            yield axis, places.tolist()
