"""Plain NumPy: the formulas as they stand, with the matrix products of whatever BLAS it has."""

from __future__ import annotations

import numpy as np

from symmetry.network.formulas import one_hot_encode, prepend_bias, step
from symmetry.targets import contestant
from symmetry.units.compare import Floats

__all__ = ["Contestant", "step"]


class Contestant(contestant.Contestant):
    """The same operations in the same order, without making the same arrays again and again.

    The inputs get their column of ones once, and the hidden layer lives in one buffer that has it.
    """

    def __init__(self, given: contestant.Given) -> None:
        x, labels, test_x, self._test_labels, w1, w2, self._lr = given
        hidden, classes = w2[1:].shape
        self._x, self._test_x = (prepend_bias(a.astype(w1.dtype)) for a in (x, test_x))
        self._y = one_hot_encode(labels, classes, w1.dtype.name)
        self._layer, self._test_layer = (
            np.ones((len(a), 1 + hidden), w1.dtype) for a in (x, test_x)
        )
        self._w1, self._w2 = w1.copy(), w2.copy()

    def weights(self) -> tuple[Floats, Floats]:
        """Return copies of w1 and w2 as NumPy arrays."""
        return self._w1.copy(), self._w2.copy()

    def _differentiate(self) -> float:
        logits = self._forward(self._x, self._layer)
        y_hat = np.exp(logits)
        sums = y_hat.sum(axis=1, keepdims=True)
        y_hat /= sums
        self._gradients = self._back(y_hat)
        return float(np.mean(np.log(sums[:, 0]) - (logits * self._y).sum(axis=1)))

    def _update(self) -> None:
        g1, g2 = self._gradients
        self._w1 -= self._lr * g1
        self._w2 -= self._lr * g2

    def _count_correct(self) -> int:
        logits = self._forward(self._test_x, self._test_layer)
        return int(np.count_nonzero(logits.argmax(axis=1) == self._test_labels))

    def _forward(self, x: Floats, layer: Floats) -> Floats:
        """Fill the hidden ``layer`` and return the logits, shifted to a maximum of zero."""
        hidden = layer[:, 1:]
        np.matmul(x, self._w1, out=hidden)
        np.negative(hidden, out=hidden)
        np.exp(hidden, out=hidden)
        hidden += 1
        np.divide(1, hidden, out=hidden)
        logits: Floats = layer @ self._w2
        logits -= logits.max(axis=1, keepdims=True)
        return logits

    def _back(self, y_hat: Floats) -> tuple[Floats, Floats]:
        n, hidden = len(self._x), self._layer[:, 1:]
        delta = y_hat - self._y
        g2 = self._layer.T @ delta / n
        hidden_delta = delta @ self._w2[1:].T
        hidden_delta *= hidden * (1 - hidden)
        return self._x.T @ hidden_delta / n, g2
