"""The arrays of one case, as every invariant receives them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Problem:
    """One training problem. Nobody writes into its arrays: a run hands out copies.

    Attributes
    ----------
    x
        Inputs without the column of ones, shape (n, i).
    y
        One-hot labels, shape (n, c).
    w1, w2
        Weights at the start, shapes (i + 1, h) and (h + 1, c); row 0 belongs to the bias.
        Invariants that speak of a run from zero weights do not look at them.
    lr
        Learning rate.
    iterations
        Number of steps of a run.
    seed
        Feeds the random choices of an invariant (a permutation, perturbations).
    """

    x: Floats
    y: Floats
    w1: Floats
    w2: Floats
    lr: float
    iterations: int
    seed: int

    @property
    def dtype(self) -> np.dtype[Any]:
        """The one dtype of all four arrays."""
        return self.w1.dtype

    @property
    def hidden(self) -> int:
        """The number h of hidden units."""
        return int(self.w1.shape[1])
