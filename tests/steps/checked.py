"""Training steps with one thing wrong, as small as they can be."""

from __future__ import annotations

import numpy as np

from symmetry.network.core import step as sound


def frozen(x, y, w1, w2, lr):
    """Nothing moves."""
    return w1, w2


def last_unit_off(x, y, w1, w2, lr):
    """The last of the hidden units gets one per cent more."""
    w1, w2 = sound(x, y, w1, w2, lr)
    w1[:, -1] *= 1.01
    return w1, w2


def last_unit_rounded(x, y, w1, w2, lr):
    """The last of the hidden units is one ulp off, once it has moved."""
    w1, w2 = sound(x, y, w1, w2, lr)
    w2[-1] = np.where(w2[-1] == 0, 0, np.nextafter(w2[-1], np.inf, dtype=w2.dtype))
    return w1, w2


def rounded_and_worse_when_wide(x, y, w1, w2, lr):
    """Rounding that hides, from whoever stops at it, what happens from 32 units on."""
    w1, w2 = last_unit_rounded(x, y, w1, w2, lr)
    if w1.shape[1] >= 32:
        w2[-1] *= 1.5
    return w1, w2


def noisy(x, y, w1, w2, lr):
    """Another result each time."""
    w1, w2 = sound(x, y, w1, w2, lr)
    return w1 + np.random.default_rng().normal(size=w1.shape).astype(w1.dtype), w2


def breaks_when_wide(x, y, w1, w2, lr):
    """Raises from three units on."""
    if w1.shape[1] >= 3:
        raise ValueError("three is a crowd")
    return sound(x, y, w1, w2, lr)


def single_precision(x, y, w1, w2, lr):
    return sound(x, y, w1, w2, lr)


single_precision.dtypes = ("float32",)  # type: ignore[attr-defined]
