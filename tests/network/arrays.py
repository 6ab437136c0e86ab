"""Arrays for the tests of the cores."""

from __future__ import annotations

import numpy as np

DTYPES = ("float32", "float64")


def draw_arrays(n, i, h, c, dtype, dense, seed):
    """Return x, labels and weights whose pre-activations and logits are of order 1."""
    rng = np.random.default_rng(seed)
    x = rng.integers(1, 256, (n, i)) * (rng.random((n, i)) < (1 if dense else 0.2)) / 64
    w1 = rng.normal(size=(i + 1, h)) / np.sqrt(i + 1)
    w2 = rng.normal(size=(h + 1, c)) / np.sqrt(h + 1)
    return x.astype(dtype), rng.integers(0, c, n), w1.astype(dtype), w2.astype(dtype)


def same_bits(a, b):
    """Whether two results are equal, counting +0 and -0 as equal."""
    return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=True)
