"""Exact comparison of floating-point numbers, and of units made of them.

Equality is bit for bit, except that +0 equals -0 and a NaN equals a NaN. Distances in ulps count
the representable numbers from one to the other: the bits of a float, read as sign and magnitude,
are integers in the order of the numbers.

Functions that speak of *rows* take one row for each unit: ``Units.rows`` gives them.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Moved = NDArray[np.bool_]  # which entries of an array differ
_TOLERANCE = 1e-9  # of the largest entry: rounding in float64


def unequal(a: NDArray[Any], b: NDArray[Any]) -> Moved:
    """Return where two arrays of one shape differ by more than rounding; NaN equals NaN."""
    if a.dtype.kind not in "fc":
        return np.asarray(a != b)
    largest = float(abs(a[np.isfinite(a)]).max(initial=0.0))
    with np.errstate(invalid="ignore"):
        near = abs(a - b) <= _TOLERANCE * largest
    found: Moved = ~((a == b) | (np.isnan(a) & np.isnan(b)) | near)
    return found


Floats = NDArray[np.floating[Any]]
Group = tuple[int, ...]

_INTEGERS: dict[np.dtype[Any], Any] = {
    np.dtype(np.float32): np.int32,
    np.dtype(np.float64): np.int64,
}


def ordered(a: Floats) -> NDArray[Any]:
    """Return integers in the order of the numbers; both zeros are 0, every NaN is the largest.

    Neighbouring numbers become neighbouring integers: int32 for float32, int64 for float64. Any
    other dtype is a ``KeyError``.
    """
    integer = _INTEGERS[a.dtype]
    limit = np.iinfo(integer).max
    bits = np.ascontiguousarray(a).view(integer).reshape(a.shape)
    line: NDArray[Any] = np.where(bits < 0, -(bits & limit), bits)
    line[np.isnan(a)] = limit
    return line


def equal(a: Floats, b: Floats) -> NDArray[np.bool_]:
    """Return where ``a`` and ``b`` are bit for bit equal; zeros are equal, and so are NaNs."""
    return np.asarray((a == b) | ((a != a) & (b != b)))


def identical(a: Floats, b: Floats) -> bool:
    """Return whether two arrays have one shape, and all entries are ``equal``."""
    return a.shape == b.shape and bool(equal(a, b).all())


def ulp_distances(a: Floats, b: Floats) -> NDArray[np.uint64]:
    """Return the number of steps between representable numbers from ``a`` to ``b``.

    The distance between the largest numbers of both signs still fits: nothing overflows. Infinity
    follows the largest finite number. The distance between a NaN and a number is larger than
    between any numbers: 2**32 - 1 for float32 and 2**64 - 1 for float64.
    """
    left, right = (ordered(side).astype(np.int64) for side in (a, b))
    # Unsigned subtraction wraps, so that the difference is right although its terms had signs.
    high, low = (
        side.view(np.uint64) for side in (np.maximum(left, right), np.minimum(left, right))
    )
    steps = np.subtract(high, low)  # of scalars, too, without a warning
    farthest = np.uint64(2 ** (8 * a.dtype.itemsize) - 1)
    return np.where(np.isnan(a) == np.isnan(b), steps, farthest)


def max_ulps(a: Floats, b: Floats) -> int:
    """Return the largest of ``ulp_distances``; 0 for empty arrays."""
    return 0 if identical(a, b) else int(ulp_distances(a, b).max())


def relative_distances(a: Floats, b: Floats) -> NDArray[np.float64]:
    """Return ``|a - b| / max(|a|, |b|)``: 0 for equal numbers, 2 for opposite ones.

    Nothing overflows. An infinity is at distance 1 from every finite number and 2 from the other
    infinity, a NaN at distance 2 from every number.
    """
    left, right = np.broadcast_arrays(a.astype(np.float64), b.astype(np.float64))
    larger = np.maximum(abs(left), abs(right))
    scale = np.where(larger > 1, 0.5, 1.0)  # halves what could overflow, keeps what could underflow
    with np.errstate(all="ignore"):
        distances = abs(left * scale - right * scale) / (larger * scale)
    distances = np.where(np.isinf(larger), np.where(left == -right, 2.0, 1.0), distances)
    distances = np.where(np.isnan(larger), 2.0, distances)
    return np.where(equal(left, right), 0.0, distances)


def max_relative(a: Floats, b: Floats) -> float:
    """Return the largest of ``relative_distances``; 0 for empty arrays."""
    return float(relative_distances(a, b).max(initial=0.0))


def all_equal(rows: Floats) -> bool:
    """Return whether all rows are identical."""
    return len(rows) == 0 or bool(equal(rows, rows[:1]).all())


def group_rows(*matrices: Floats) -> tuple[Group, ...]:
    """Return the indices of rows that are identical in every matrix, one tuple a group.

    The groups come in the order of their first members.
    """
    keys = [np.ascontiguousarray(ordered(rows)) for rows in matrices]
    members: dict[bytes, list[int]] = {}
    for unit in range(len(matrices[0])):
        members.setdefault(b"".join(rows[unit].tobytes() for rows in keys), []).append(unit)
    return tuple(tuple(group) for group in members.values())


def distinct(rows: Floats) -> int:
    """Return the number of distinct rows."""
    return min(len(rows), 1) if all_equal(rows) else len(group_rows(rows))


def spread_ulps(rows: Floats) -> int:
    """Return the largest distance in ulps, in any position, between any two rows."""
    if all_equal(rows):
        return 0
    line = ordered(rows)  # a NaN is the largest
    lowest, highest = (
        np.take_along_axis(rows, place[None], axis=0) for place in (line.argmin(0), line.argmax(0))
    )
    return max_ulps(lowest, highest)


def largest_entry(a: NDArray[Any]) -> tuple[int, ...]:
    """Return the index of the largest entry of an array, the first one of equals."""
    return tuple(map(int, np.unravel_index(int(a.argmax()), a.shape)))
