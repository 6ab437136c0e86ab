"""Slices of values that the data tell apart, so that no exchange of units can exchange them.

Samples and positions are told apart by what they are made of: where some of the data are replaced,
one slice changes and its neighbour does not. Units come of the same data.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from symmetry.finding import actions
from symmetry.finding.actions import Array
from symmetry.training.trace import Trace

Slot = tuple[int, int]  # a value and an axis

_MOST = 3  # axes of the data that are looked at: samples, and positions


def apart_by_data(trace: Trace) -> frozenset[Slot]:
    """Return the values and axes whose first two slices come of other data.

    Or of some samples alone, as where samples and heads have one axis: units come of all samples.
    What comes from outside of the step are data, unless it is a leaf. Of all that has an axis of
    one size in one place, those slices are replaced that are as the first that is not like slice 0:
    equal ones stay equal.
    """
    found: set[Slot] = set()
    for replaced_axis, replaced in itertools.islice(_replaced(trace), _MOST):
        for value, mask in _changes(trace, replaced):
            for axis in range(mask.ndim):
                others = mask if replaced_axis == 0 else mask.take([0, 1][: mask.shape[axis]], axis)
                if (others != mask.take([0], axis)).any():
                    found.add((value, axis))
    return frozenset(found)


def _replaced(trace: Trace) -> Iterator[tuple[int, dict[int, Array]]]:
    """Yield an axis, and data that are others along it, by value: for each size that it has."""
    others: dict[tuple[int, int], dict[int, Array]] = defaultdict(dict)
    for value, array in enumerate(trace.arrays):
        if array.size and value not in trace.maker and value not in trace.names:
            for axis, size in enumerate(array.shape):
                slices = np.moveaxis(array, axis, 0).reshape(size, -1)
                unlike = [*np.flatnonzero((slices != slices[:1]).any(axis=1))]
                if unlike:
                    alike = (slices == slices[unlike[0]]).all(axis=1)
                    other = np.array(array, order="C")
                    np.moveaxis(other, axis, 0)[alike] = array.take(0, axis)
                    others[axis, size][value] = other
    yield from ((axis, others[axis, size]) for axis, size in sorted(others, key=lambda k: k[0]))


def _changes(
    trace: Trace, replaced: Mapping[int, Array]
) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """Yield the values that change with the data, with where they do."""
    new = dict(replaced)
    for k, node in enumerate(trace.nodes):
        given = {x: new[i] for x, i in enumerate(node.inputs) if i in new}
        results = trace.perform(k, given) if given else None
        for value, result in zip(node.outputs, results or (), strict=False):
            old = trace.arrays[value]
            if old.shape == result.shape:
                mask = actions.changed(old, result)
                if mask.any():
                    new[value] = result
                    yield value, mask
