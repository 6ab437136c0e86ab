"""Seeds: exchanges of neighbouring slices, from which a search for groups begins.

No exchange of units can exchange slices that come from different data, as samples and positions do:
all units come from the same data. Their axes are left out. Such an axis is found by replacing some
of the data. If one slice of a value changes and another does not, they come from different data.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from symmetry.finding.exchange.actions import Action
from symmetry.finding.exchange.operations import Operations
from symmetry.finding.exchange.tolerance import Array, changed
from symmetry.training.trace import Trace

Axis = tuple[int, int, int, int]  # a value, its axis, the size of a block, the number of blocks


def neighbours(axis: int, block: int, place: int) -> Action:
    """Return the exchange of a block of slices with the next one."""
    first = place * block
    return ((axis, tuple((i, i + block) for i in range(first, first + block)), ()),)


def block_axes(operations: Operations) -> Iterator[Axis]:
    """Yield axes whose blocks may be units, although they are no single slices of a leaf.

    These are axes that a view of a leaf's value has made, as those of heads, and blocks whose
    number is an argument of an operation, as in a grouped convolution.
    """
    trace = operations.trace
    by_data = data_axes(trace)
    for k, node in enumerate(trace.nodes):
        for q, value in enumerate(node.outputs if operations.movement(k) else ()):
            if value in trace.from_leaves:
                for axis, size in enumerate(trace.arrays[value].shape):
                    unknown = size > 1 and (value, axis) not in by_data
                    if unknown and operations.is_new_axis(k, q, axis):
                        yield value, axis, 1, size
        for value in {*node.inputs} & trace.names.keys():
            size = trace.arrays[value].shape[0] if trace.arrays[value].ndim else 0
            for count in sorted(node.integers, reverse=True):  # halves may consist of groups
                if 1 < count < size and size % count == 0:
                    yield value, 0, size // count, count


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
