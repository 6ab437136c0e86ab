"""Seeds: exchanges of neighbouring slices, from which a search for groups begins."""

from collections.abc import Iterator

from symmetry.finding.exchange.actions import Action
from symmetry.finding.exchange.operations import Operations
from symmetry.finding.grouping.data_axes import data_axes

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
