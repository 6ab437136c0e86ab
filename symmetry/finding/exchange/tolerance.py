"""Whether two float64 arrays are the same, up to a tolerance relative to their largest entry.

Arrays with huge entries (masks of -1e9 or -inf, as attention has them) are compared by the
logarithms of their entries: otherwise the huge ones would hide changes of all others.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

TOLERANCE = 1e-9  # relative to the largest entry
CERTAIN = 1000.0  # tolerances: a loss that changes by less depends too little on units for a proof
TINY = 1e-30  # added to the largest entry, which may be zero
_LARGE, _SAMPLE = 30_000, 4_000  # larger arrays are first compared in a sample of their entries
_HUGE = 1e6  # arrays with larger entries are compared by their logarithms


def same(
    old: Array, new: Array, tolerance: float = TOLERANCE, largest: float | None = None
) -> bool:
    """Return whether two arrays have one shape and the same entries.

    ``largest`` is the largest entry of ``old``, where it is known: to find it takes longer than the
    rest.
    """
    if old.shape != new.shape:
        return False
    if old.dtype.kind not in "fc":
        return not (old != new).any()
    largest = largest_entry(old) if largest is None else largest
    if largest < _HUGE and old.dtype.kind == new.dtype.kind == "f" and old.size:
        limit, change = tolerance * (largest + TINY), math.inf
        for sides in _sampled_first(old, new):
            change = _largest_change(*sides)
            if limit < change < _HUGE - largest:  # so that no new entry is huge
                return False
        if change <= limit:
            return True
    logarithmic, largest = _scale(old, new)
    limit = tolerance * (largest + TINY)
    looks = (beyond(*sides, limit, logarithmic=logarithmic) for sides in _sampled_first(old, new))
    return not any(look.any() for look in looks)


def _largest_change(old: Array, new: Array) -> float:
    change = np.subtract(old, new)
    return float(np.abs(change, out=change).max()) if change.ndim else abs(float(change))


def changed(old: Array, new: Array, tolerance: float = TOLERANCE) -> NDArray[np.bool_]:
    """Return where two arrays of one shape differ; integers differ if they are not equal."""
    if old.dtype.kind not in "fc":
        return np.asarray(old != new)
    logarithmic, largest = _scale(old, new)
    return beyond(old, new, tolerance * (largest + TINY), logarithmic=logarithmic)


def beyond(old: Array, new: Array, limit: float, *, logarithmic: bool = False) -> NDArray[np.bool_]:
    """Return where two arrays, or the logarithms of their entries, differ by more than a limit."""
    change = _logarithm(old) - _logarithm(new) if logarithmic else old - new
    sizes = np.abs(change, out=change) if change.dtype.kind == "f" and change.ndim else abs(change)
    return np.asarray(sizes > limit)


def on_one_scale(old: Array, new: Array) -> Sequence[Array]:
    """Return both arrays without infinities, NaN and truth values, so that they can be subtracted.

    Integers and truth values become int64; if an entry is huge, both become logarithms.
    """
    if old.dtype.kind not in "fc":
        return [side.astype(np.int64) for side in (old, new)]
    return [*map(_logarithm, (old, new))] if _scale(old, new)[0] else [old, new]


def elsewhere(array: Array) -> Array:
    """Return other numbers in place of an array's, to see whether a loss depends on them."""
    return array * 1.37 + 0.11


def largest_entry(array: Array) -> float:
    """Return the largest absolute value, without a temporary array of the same size."""
    if array.dtype.kind == "c":
        return float(abs(array).max(initial=0.0))
    return float(max(array.max(initial=0), -array.min(initial=0)))


def positions(mask: NDArray[np.bool_]) -> list[tuple[int, ...]]:
    """Return for each axis the positions at which anything is true."""
    axes = range(mask.ndim)
    along = [mask.any(axis=(*axes[:a], *axes[a + 1 :])) for a in axes]
    return [tuple(np.flatnonzero(each).tolist()) for each in along]


def _scale(old: Array, new: Array) -> tuple[bool, float]:
    """Return whether to compare logarithms, and the largest entry of ``old`` on that scale."""
    largest = largest_entry(old)
    if largest < _HUGE and largest_entry(new) < _HUGE:  # false if there is a NaN
        return False, largest
    if math.isfinite(largest) and old.dtype.kind == "f":
        return True, math.asinh(largest)
    return True, largest_entry(_logarithm(old))


def _logarithm(array: Array) -> Array:
    """Return arcsinh of the entries: a logarithm that takes zeros and negative numbers, too."""
    logarithms: Array = np.arcsinh(np.nan_to_num(array, nan=_HUGE))
    return logarithms


def _sampled_first(old: Array, new: Array) -> Iterator[tuple[Array, Array]]:
    """Yield a sample of two large arrays, in which most differences show, and then all entries."""
    if old.size > _LARGE and old.flags.c_contiguous and new.flags.c_contiguous:
        step = old.size // _SAMPLE | 1  # odd, or the sample may lie in a single slice
        yield old.reshape(-1)[::step], new.reshape(-1)[::step]
    yield old, new
