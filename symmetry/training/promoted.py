"""Whether a promoted run still computes the training: it has to agree with the one as written.

as written    loss 1.3862, and an update
in float64    loss 1.3861, and nearly the same update: more digits of the same numbers
in float64    loss 0.9172: a mask of 0.9999999999999998 became 0, or a write was lost
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from symmetry.training.start import TrainingStart
from symmetry.units.state import Array, State

# Relative differences of sound trainings: losses in 16 bits differ by 2e-4 at the most, updates by
# 0.2, where an optimiser makes full steps of gradients that are rounding.
_LOSS, _UPDATE = 0.05, 0.9


def departure(written: TrainingStart, promoted: TrainingStart) -> str:
    """Say where the promoted run is another training; nothing if it is the same one.

    Random numbers with more bits are others, and a scaled loss is one by a power of two: a step
    with either is not judged.
    """
    one, other = written.baseline, promoted.baseline
    if one.draws or other.draws or one.loss is None or other.loss is None:
        return ""
    if _is_scaled(one.loss, other.loss):
        return ""
    if abs(one.loss - other.loss) > _LOSS * max(abs(one.loss), abs(other.loss)):
        return f"its first loss is {other.loss:.6g} there, and {one.loss:.6g} as written"
    if _gap(_update(written), _update(promoted)) > _UPDATE:
        return "its first update is another one there"
    return ""


def _is_scaled(one: float, other: float) -> bool:
    """Return whether one loss is the other one times a power of two, as by a gradient scaler."""
    if one * other <= 0:
        return False
    power = math.log2(one / other)
    return abs(power) > 1 - _LOSS and abs(power - round(power)) < _LOSS


def _update(start: TrainingStart) -> Mapping[str, Array]:
    """Return how far the first step moves each trained array."""
    first: State = start.first_run[0]
    known = start.baseline.trained & first.keys() & start.state.keys()
    return {n: np.subtract(first[n], start.state[n], dtype=np.float64) for n in known}


def _gap(one: Mapping[str, Array], other: Mapping[str, Array]) -> float:
    """Return the distance of two updates, relative to the second one; 0 if nothing is known."""
    shared = [n for n in one.keys() & other.keys() if one[n].shape == other[n].shape]
    apart = sum(float(np.square(one[n] - other[n]).sum()) for n in shared)
    size = sum(float(np.square(other[n]).sum()) for n in shared)
    if not (size and math.isfinite(apart) and math.isfinite(size)):
        return 0.0
    return math.sqrt(apart / size)
