"""Where the hidden units lie in an array, and whether they are the same there.

Shapes alone do not tell: the number h of hidden units may equal the number of samples, of inputs or
of classes. So a step is run with more hidden units as well, and the axis that grew is theirs. It
may hold more than the units (a bias row, padding), only some of them (the last block), or be merged
with another axis by a reshape; what cannot be told from lengths is left open as several *layouts*,
of which one that makes the units the same is believed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Firsts = NDArray[np.intp]  # of every hidden unit, the first one that is its like

MORE = 2  # hidden units more in the larger run: even, so that halves and strides of two grow too
_MOST_EXTRA = 8  # entries of the hidden axis that are no units, a bias for instance
_MOST_PADDING = 64


@dataclass(frozen=True)
class Axis:
    """How hidden units lie along one axis of an array.

    Attributes
    ----------
    number
        Of the axis, from 0.
    before, count, after
        Entries in front of the units, units, and entries behind them.
    outer, inner
        Lengths that a reshape merged into this axis, outside and inside of the units' own.
    whole
        Whether all units of the layer are there, not only some of them.
    """

    number: int
    before: int
    count: int
    after: int = 0
    outer: int = 1
    inner: int = 1
    whole: bool = True

    @property
    def length(self) -> int:
        """The length of the units' own axis, other entries included."""
        return self.before + self.count + self.after


@dataclass(frozen=True)
class Layout:
    """The axes of an array that hidden units lie along: one, or two as in (h, h)."""

    axes: tuple[Axis, ...]


def layouts(
    shape: Sequence[int], larger: Sequence[int], doubled: Sequence[int] | None, hidden: int
) -> tuple[Layout, ...]:
    """Return every way in which hidden units may lie in an array, likelier ones first.

    Parameters
    ----------
    shape
        Of the array with ``hidden`` units.
    larger
        Of the same array with ``MORE`` units more.
    doubled
        Of the same array with twice as many, which tells where padding hid the growth; or None.
    hidden
        The number of units.

    Returns
    -------
    layouts
        Empty if no axis belongs to the units, or none in a way that is understood.
    """
    if len(larger) != len(shape):
        return ()
    beyond = doubled if doubled is not None and len(doubled) == len(shape) else shape
    choices = []
    for number, (size, more, twice) in enumerate(zip(shape, larger, beyond, strict=True)):
        axes = _grown(number, size, more - size, hidden) or _padded(number, size, twice, hidden)
        if axes:
            choices.append(axes)
        elif more != size:
            return ()  # an axis that grew in a way that is not understood
    if len(choices) == 2 and not all(_plain(axis) for axes in choices for axis in axes):
        return ()
    return tuple(map(Layout, product(*choices))) if 1 <= len(choices) <= 2 else ()


def by_size(shape: Sequence[int], hidden: int, others: Iterable[int]) -> tuple[Layout, ...]:
    """Guess from the length alone: the one axis of length h, or h + 1, that nothing else has."""
    taken = set(others)
    found = [
        Layout((Axis(number, size - hidden, hidden),))
        for number, size in enumerate(shape)
        if size in (hidden, hidden + 1) and size not in taken
    ]
    return tuple(found) if len(found) == 1 else ()


def _grown(number: int, size: int, growth: int, hidden: int) -> list[Axis]:
    """Return what an axis may hold that grew because of ``MORE`` hidden units."""
    if growth <= 0:
        return []
    if growth < MORE:  # only some units, for instance every other one
        return [Axis(number, 0, size, whole=False)] if size <= hidden else []
    times, odd = divmod(growth, MORE)
    extra, rest = divmod(size - times * hidden, times)
    if odd or rest or extra > _MOST_EXTRA:
        return []
    if extra < 0:
        return [Axis(number, 0, size, whole=False)] if times == 1 else []
    merged = [(times, 1), (1, times)] if times > 1 else [(1, 1)]
    return [
        Axis(number, before, hidden, extra - before, outer, inner)
        for before in dict.fromkeys([extra, 0, *range(extra)])
        for outer, inner in merged
    ]


def _padded(number: int, size: int, doubled: int, hidden: int) -> list[Axis]:
    """Return what an axis may hold that grew only with twice as many units."""
    padding = size - hidden
    if doubled <= size or not 0 <= padding <= min(_MOST_PADDING, doubled - hidden):
        return []
    return [Axis(number, before, hidden, padding - before) for before in {0: 0, padding: 0}]


def _plain(axis: Axis) -> bool:
    return axis.whole and axis.outer == axis.inner == 1


def units(values: Array, layout: Layout) -> Array:
    """Return the units of ``values`` along its first axis (the first two for two hidden axes).

    A view wherever no merged axis has to be taken apart.
    """
    if len(layout.axes) == 2:
        first, second = layout.axes
        moved = np.moveaxis(values, (first.number, second.number), (0, 1))
        return moved[
            first.before : first.before + first.count, second.before : second.before + second.count
        ]
    (axis,) = layout.axes
    apart = values.reshape(
        *values.shape[: axis.number],
        axis.outer,
        axis.length,
        axis.inner,
        *values.shape[axis.number + 1 :],
    )
    return np.moveaxis(apart, axis.number + 1, 0)[axis.before : axis.before + axis.count]


def alike(values: Array, layout: Layout, firsts: Firsts) -> bool:
    """Return whether all units are what the first of their likes is, bit for bit.

    Zeros are equal whatever their sign, and so are NaNs.
    """
    rows = units(values, layout)
    expected = _expected(rows, layout, firsts)
    return expected is None or _equal(rows, expected)


def make_alike(values: Array, layout: Layout, firsts: Firsts) -> Array:
    """Return a copy in which every unit is what the first of its likes is."""
    made = np.array(values, order="C")
    rows = units(made, layout)  # a view: a contiguous array can be reshaped in place
    expected = _expected(rows, layout, firsts)
    if expected is not None:
        rows[...] = expected.copy()
    return made


def agreement(values: Array, layout: Layout) -> int:
    """Return how many units are what the one in the middle is: the right layout makes it many."""
    rows = units(values, layout)
    return sum(_equal(row, rows[len(rows) // 2]) for row in rows)


def _expected(rows: Array, layout: Layout, firsts: Firsts) -> Array | None:
    """Return what symmetric ``rows`` would be, broadcastable to them; None if nobody can tell."""
    alone = not firsts.any()
    if len(layout.axes) == 2:
        return rows[_pairs(firsts)] if len(firsts) > 1 else None
    if alone:
        return rows[:1]
    return rows[firsts] if layout.axes[0].whole else None


def _pairs(firsts: Firsts) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return for each pair of units the first pair like it: a unit with itself, or with another."""
    count = len(firsts)
    seconds = firsts.copy()  # of every unit, the second one of its likes
    for first in np.unique(firsts):
        members = np.flatnonzero(firsts == first)
        seconds[members] = members[min(1, len(members) - 1)]
    row, column = (
        np.broadcast_to(firsts[:, None], (count, count)).copy(),
        np.tile(firsts, (count, 1)),
    )
    another = (row == column) & ~np.eye(count, dtype=bool)
    column[another] = np.tile(seconds, (count, 1))[another]
    return row, column


def _equal(a: Array, b: Array) -> bool:
    same = a == b
    return bool(same.all() or (same | ((a != a) & (b != b))).all())


def groups(values: Array, layout: Layout) -> tuple[tuple[int, ...], ...]:
    """Return the numbers of the units that are the same, one tuple a group, by first members."""
    rows = units(values, layout)
    if rows.dtype.kind in "fc":
        rows = rows + rows.dtype.type(0)  # now -0 is +0
        rows[rows != rows] = np.nan
    members: dict[bytes, list[int]] = {}
    for unit, row in enumerate(rows):
        members.setdefault(row.tobytes(), []).append(unit)
    return tuple(map(tuple, members.values()))
