"""Where two arrays differ: at the entries of one sample alone, or at others."""

from __future__ import annotations

import numpy as np

from symmetry.units.state import Array

_TOLERANCE = 1e-9  # of the largest entry


def unequal(a: Array, b: Array) -> Array:
    """Return where two arrays of one shape differ by more than rounding; NaN equals NaN."""
    if a.dtype.kind not in "fc":
        return np.asarray(a != b)
    largest = float(abs(a[np.isfinite(a)]).max(initial=0.0))
    with np.errstate(invalid="ignore"):
        near = abs(a - b) <= _TOLERANCE * largest
    found: Array = ~((a == b) | (np.isnan(a) & np.isnan(b)) | near)
    return found


def axes_of(differs: Array, count: int, sample: int) -> list[int]:
    """Return the axes along which only entries of one of the samples differ.

    An axis of samples has a length of their number, or a multiple of it: in blocks or strides.
    """
    found = []
    for axis, length in enumerate(differs.shape):
        if not length or length % count:
            continue
        moved = np.flatnonzero(np.moveaxis(differs, axis, 0).reshape(length, -1).any(1))
        block = length // count
        if (moved // block == sample).all() or (moved % count == sample).all():
            found.append(axis)
    return found


def pairs_alone(differs: Array, count: int, sample: int) -> bool:
    """Return whether an array of pairs of samples differs at pairs with one of them alone."""
    axes = [axis for axis, length in enumerate(differs.shape) if length == count]
    others = [k for k in range(count) if k != sample]
    rest = differs
    for axis in axes[:2]:
        rest = rest.take(others, axis)
    return len(axes) > 1 and not rest.any()
