"""Where the samples of a batch lie in an array, seen by the entries that one of them moves.

Example: the third of four samples was replaced. An array of shape (4, 5) differs at it alone along
axis 0 if nothing but row 2 moved; one of shape (8, 5) may hold two rows of each sample, as 4·2 or
2·4.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from symmetry.units.compare import Moved
from symmetry.units.state import Array


def rows_of(array: Array, count: int) -> Array | None:
    """Return an array with the samples along its first axis; None if no axis can be theirs.

    It is the first axis of their number, or else of a multiple of it, taken for blocks.
    """
    exact = [axis for axis, length in enumerate(array.shape) if length == count]
    blocks = [axis for axis, length in enumerate(array.shape) if length and length % count == 0]
    axis = next(iter((*exact, *blocks)), None)
    if axis is None:
        return None
    rows = np.moveaxis(array, axis, 0)
    return rows.reshape(count, -1, *rows.shape[1:])


def axes_of(moved: Moved, count: int, sample: int) -> list[int]:
    """Return the axes along which only entries of one of the samples differ.

    An axis of samples has a length of ``count`` or a multiple of it. A run of axes may be one: a
    batch that is cut into groups. The first of such axes is returned.
    """
    return [
        first
        for first, last in _runs(moved.shape, count)
        if _at_one(np.moveaxis(_joined(moved, first, last), first, 0), count, sample)
    ]


def is_alone(moved: Moved, count: int, sample: int) -> bool | None:
    """Return whether an array differs at one sample alone; None if nothing can be said."""
    if not any(length and length % count == 0 for length in moved.shape) or not moved.any():
        return None
    if axes_of(moved, count, sample) or pairs_alone(moved, count, sample):
        return True
    # A length that is a multiple by chance accuses nothing.
    return False if count in moved.shape else None


def pairs_alone(moved: Moved, count: int, sample: int) -> bool:
    """Return whether an array of pairs of samples differs at pairs with one of them alone."""
    axes = [axis for axis, length in enumerate(moved.shape) if length == count]
    others = [k for k in range(count) if k != sample]
    for axis in axes[:2]:
        moved = moved.take(others, axis)
    return len(axes) > 1 and not moved.any()


def _runs(shape: tuple[int, ...], count: int) -> Iterator[tuple[int, int]]:
    """Yield the first and last axis of each run that may hold the samples."""
    for first in range(len(shape)):
        if shape[first] and shape[first] % count == 0:
            yield first, first
        product = shape[first]
        for last in range(first + 1, len(shape)):
            product *= shape[last]
            if product == count and shape[first] > 1 and shape[last] > 1:
                yield first, last


def _joined(moved: Moved, first: int, last: int) -> Moved:
    """Return the array with a run of axes as one."""
    return moved.reshape(*moved.shape[:first], -1, *moved.shape[last + 1 :])


def _at_one(moved: Moved, count: int, sample: int) -> bool:
    """Return whether only entries of one sample differ along the first axis.

    Its entries lie in blocks, or in strides.
    """
    places = np.flatnonzero(moved.reshape(len(moved), -1).any(1))
    block = len(moved) // count
    return bool((places // block == sample).all() or (places % count == sample).all())
