"""Where two arrays differ by more than the rounding of float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from symmetry.units.state import Array

Moved = NDArray[np.bool_]  # which entries of an array differ
_TOLERANCE = 1e-9  # of the largest entry: rounding in float64


def unequal(a: Array, b: Array) -> Moved:
    """Return where two arrays of one shape differ by more than rounding; NaN equals NaN."""
    if a.dtype.kind not in "fc":
        return np.asarray(a != b)
    largest = float(abs(a[np.isfinite(a)]).max(initial=0.0))
    with np.errstate(invalid="ignore"):
        near = abs(a - b) <= _TOLERANCE * largest
    found: Moved = ~((a == b) | (np.isnan(a) & np.isnan(b)) | near)
    return found
