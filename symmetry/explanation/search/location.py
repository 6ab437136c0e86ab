"""Where two units are in an array: the places that move when the two are exchanged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from symmetry.units import compare
from symmetry.units.state import Array

# The part of the largest entry that a sum in another order may change at most. Units that are
# exchanged move entries by much more.
_TOLERANCES = {2: 2e-3, 4: 3e-4, 8: 1e-7}


@dataclass(frozen=True)
class Location:
    """Where two units, a and b, are in an array."""

    # *axis*: at indices ``i`` and ``j`` of an axis. *entries*: at these entries of the flat array,
    # one beside the other. *alone*: only one of them is there, at index ``i`` of an axis or all
    # over the array.
    kind: Literal["axis", "entries", "alone"]
    axis: int = -1  # the axis; -1 if they lie along none
    # Indices of the axis, or arrays of flat indices.
    i: Any = None
    j: Any = None
    fits: bool = True  # whether the exchange of the units exchanges what is there
    shape: tuple[int, ...] = field(default=(), compare=False)  # the shape of the array

    @property
    def both(self) -> bool:
        """Whether both units are there."""
        return self.kind != "alone"

    def sides(self, array: Array) -> tuple[Array, Array]:
        """Return what an array holds for the one unit and for the other."""
        if self.kind == "axis":
            return array.take(self.i, self.axis), array.take(self.j, self.axis)
        flat = array.ravel()
        return flat[self.i], flat[self.j]

    def lies_in(self, other: Location) -> bool:
        """Return whether one unit alone lies in an array as it does in one of both units."""
        if self.both or not other.both:
            return False
        if self.axis < 0:
            return self.shape == other.shape
        mine, its = self.shape, other.shape
        along = len(mine) == len(its) and mine[self.axis] == its[self.axis] > 1
        same = other.kind == "axis" and self.axis == other.axis
        return along and same and self.i in (other.i, other.j)

    def make_equal(self, array: Array) -> None:
        """Write over the one unit with the other."""
        if self.kind == "axis":
            rows = np.moveaxis(array, self.axis, 0)
            rows[self.j] = rows[self.i]
        else:
            source = np.arange(array.size)
            source[self.i] = np.minimum(self.i, self.j)
            array[...] = array.ravel()[source].reshape(array.shape)


def locate(s: Array, t: Array, distance: int, rounding: float = 0.0) -> Location | None:
    """Find two units in an array, ``t`` in the run with the two exchanged; None if none is there.

    The one lies ``distance`` behind the other in the state; ``rounding`` is what rounding may move.
    """
    if s.shape != t.shape or np.array_equal(s, t):
        return None
    tolerance = tolerance_of(s, t, rounding)
    moves = _far(s, t, tolerance)
    if not moves.any():
        return None
    axes = range(s.ndim)
    moved = [np.flatnonzero(moves.any(axis=tuple(m for m in axes if m != k))) for k in axes]
    pairs = [_along(k, moved[k], s, t, tolerance) for k in axes if len(moved[k]) == 2]
    pairs.sort(key=lambda location: (not location.fits, abs(location.j - location.i - distance)))
    if pairs and pairs[0].fits:
        return pairs[0]
    if s.dtype.kind in "fc" and moves.sum() % 2 == 0:
        entries = _paired(moves, s, t, tolerance)
        if entries is not None:
            return entries
    if pairs and pairs[0].j - pairs[0].i == distance:
        return pairs[0]
    ones = [k for k in axes if len(moved[k]) == 1]
    if not ones:
        return Location("alone", shape=s.shape)
    axis = min(ones, key=lambda k: (s.shape[k] == 1, k))
    return Location("alone", axis, int(moved[axis][0]), shape=s.shape)


def tolerance_of(s: Array, t: Array, rounding: float) -> float:
    """Return the largest difference of two entries that are the same up to rounding."""
    if s.dtype.kind not in "fc":
        return 0.0
    scale = max(largest(s), largest(t))
    return max(rounding, scale * _TOLERANCES.get(s.dtype.itemsize, 1e-7))


def largest(a: Array) -> float:
    """Return the largest finite absolute value, 0 without one."""
    if a.dtype.kind == "f":  # without a copy of the array
        top = max(float(a.max(initial=0)), -float(a.min(initial=0)))
        if np.isfinite(top):
            return top
    size = abs(a)
    return float(size[np.isfinite(size)].max(initial=0))


def near(x: Array, y: Array, tolerance: float) -> bool:
    """Return whether two arrays are the same up to rounding on both sides."""
    return x.shape == y.shape and not _far(x, y, 2 * tolerance).any()


@np.errstate(all="ignore")
def _far(x: Array, y: Array, tolerance: float) -> Array:
    if x.dtype.kind not in "fc":
        return np.asarray(x != y)
    apart = abs(x - y)
    far: Array = np.asarray(apart > tolerance)
    if not np.isfinite(apart.max(initial=0)):
        odd = ~np.isfinite(apart)
        far[odd] = ~compare.equal(x[odd], y[odd])
    return far


def _along(axis: int, places: Array, s: Array, t: Array, tolerance: float) -> Location:
    """Return the location at two indices of an axis."""
    i, j = map(int, places)
    here, there = (s.take(i, axis), s.take(j, axis)), (t.take(j, axis), t.take(i, axis))
    fits = all(near(one, other, tolerance) for one, other in zip(here, there, strict=True))
    return Location("axis", axis, i, j, fits, s.shape)


def _paired(moves: Array, s: Array, t: Array, tolerance: float) -> Location | None:
    """Return entry by entry which one takes the place of the other, if all do.

    Units may lie along two axes, in blocks, or along an axis merged with others.
    """
    where, flat_s, flat_t = np.flatnonzero(moves), s.ravel(), t.ravel()
    j = where[np.lexsort((flat_t[where], flat_s[where]))]  # of equal ones, the partners decide
    i = where[np.lexsort((flat_s[where], flat_t[where]))]
    fits = near(flat_t[i], flat_s[j], tolerance) and near(flat_s[i], flat_t[j], tolerance)
    return Location("entries", -1, i, j, shape=s.shape) if fits else None
