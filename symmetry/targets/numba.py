"""The project's own core, compiled by Numba: its bits never change."""

from __future__ import annotations

import numpy as np

from symmetry.network.core import Core, step
from symmetry.network.training import Weights, update
from symmetry.targets import contestant
from symmetry.units.compare import Floats

__all__ = ["Contestant", "step"]


class Contestant(contestant.Contestant):
    """Training on two cores: one holds the training set, one the test set."""

    def __init__(self, given: contestant.Given) -> None:
        x, labels, test_x, self._test_labels, w1, w2, self._lr = given
        hidden, classes = w2[1:].shape
        self._core = Core(x, labels, classes=classes, hidden=hidden, dtype=w1.dtype.name)
        self._test = Core(
            test_x, self._test_labels, classes=classes, hidden=hidden, dtype=w1.dtype.name
        )
        self._weights: Weights = (w1.copy(), w2.copy())

    def weights(self) -> tuple[Floats, Floats]:
        """Return copies of w1 and w2 as NumPy arrays."""
        w1, w2 = self._weights
        return w1.copy(), w2.copy()

    def _differentiate(self) -> float:
        loss, self._gradients = self._core.gradient(*self._weights)
        return loss

    def _update(self) -> None:
        self._weights = update(self._weights, self._gradients, self._lr)

    def _count_correct(self) -> int:
        _, predictions = self._test.evaluate(*self._weights)
        return int(np.count_nonzero(predictions == self._test_labels))
