"""Axes along which slices come from different data: samples, and positions.

No exchange of units can exchange such slices: all units come from the same data. An axis is found
by replacing some of the data. If one slice of a value changes and another does not, they come from
different data.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from symmetry.finding.exchange.tolerance import Array, changed
from symmetry.training.trace import Trace

ValueAxis = tuple[int, int]

_MOST = 3  # axes of the data that are looked at: samples, and positions


def data_axes(trace: Trace) -> frozenset[ValueAxis]:
    """Return the values and axes whose first two slices come from different data.

    So do slices that come from some of the samples, as on an axis that samples and heads share.
    Data are the values that come from outside of the step, unless they are leaves.
    """
    axes: set[ValueAxis] = set()
    for replaced_axis, replaced in itertools.islice(_replacements(trace), _MOST):
        for value, mask in _changes(trace, replaced):
            for axis in range(mask.ndim):
                others = mask if replaced_axis == 0 else mask.take([0, 1][: mask.shape[axis]], axis)
                if (others != mask.take([0], axis)).any():
                    axes.add((value, axis))
    return frozenset(axes)


def _replacements(trace: Trace) -> Iterator[tuple[int, dict[int, Array]]]:
    """Yield an axis, and other data by value, for each axis and size that the data have.

    The first slice that differs from slice 0 becomes slice 0, and so do all slices equal to it:
    equal slices stay equal.
    """
    others: dict[tuple[int, int], dict[int, Array]] = defaultdict(dict)
    for value, array in enumerate(trace.arrays):
        if array.size and value not in trace.maker and value not in trace.names:
            for axis, size in enumerate(array.shape):
                slices = np.moveaxis(array, axis, 0).reshape(size, -1)
                different = np.flatnonzero((slices != slices[:1]).any(axis=1))
                if len(different):
                    replaced = (slices == slices[different[0]]).all(axis=1)
                    other = np.array(array, order="C")
                    np.moveaxis(other, axis, 0)[replaced] = array.take(0, axis)
                    others[axis, size][value] = other
    yield from ((axis, others[axis, size]) for axis, size in sorted(others, key=lambda k: k[0]))


def _changes(
    trace: Trace, replaced: Mapping[int, Array]
) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """Yield the values that change with the data, and where they change."""
    new = dict(replaced)
    for k, node in enumerate(trace.nodes):
        inputs = {x: new[i] for x, i in enumerate(node.inputs) if i in new}
        results = trace.perform(k, inputs) if inputs else None
        for value, result in zip(node.outputs, results or (), strict=False):
            old = trace.arrays[value]
            if old.shape == result.shape:
                mask = changed(old, result)
                if mask.any():
                    new[value] = result
                    yield value, mask
