"""NumPy: the formulas in the same order, without making the same arrays again and again."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from symmetry.experiment.data.dataset import Dataset
from symmetry.network.formulas import one_hot_encode, prepend_bias
from symmetry.units.compare import Floats
from tests.studies.frameworks.contestants import Iteration


def contestant(data: Dataset, w1: Floats, w2: Floats, lr: float) -> Iterator[Iteration]:
    """Do the same operations in the same order, without making the same arrays again and again.

    The inputs get their column of ones once, and the hidden layer lives in one buffer that has it.
    """
    w1, w2 = w1.copy(), w2.copy()
    x, test_x = (prepend_bias(a.astype(w1.dtype)) for a in (data.train_x, data.test_x))
    y = one_hot_encode(data.train_labels, data.classes, w1.dtype.name)
    layer, test_layer = (np.ones((len(a), len(w2)), w1.dtype) for a in (x, test_x))
    loss, y_hat = _predict(x, w1, w2, layer, y)
    while True:
        delta, hidden = y_hat - y, layer[:, 1:]
        back = delta @ w2[1:].T
        back *= hidden * (1 - hidden)
        w1 -= lr * (x.T @ back / len(x))
        w2 -= lr * (layer.T @ delta / len(x))
        loss, y_hat = _predict(x, w1, w2, layer, y)
        found = _forward(test_x, w1, w2, test_layer).argmax(axis=1)
        correct = int(np.count_nonzero(found == data.test_labels))
        yield Iteration(loss, correct, w1, w2)


def _predict(x: Floats, w1: Floats, w2: Floats, layer: Floats, y: Floats) -> tuple[float, Floats]:
    """Return the mean loss and the predictions."""
    logits = _forward(x, w1, w2, layer)
    y_hat = np.exp(logits)
    sums = y_hat.sum(axis=1, keepdims=True)
    y_hat /= sums
    return float(np.mean(np.log(sums[:, 0]) - (logits * y).sum(axis=1))), y_hat


def _forward(x: Floats, w1: Floats, w2: Floats, layer: Floats) -> Floats:
    """Fill the hidden ``layer`` and return the logits, shifted to a maximum of zero."""
    hidden = layer[:, 1:]
    np.matmul(x, w1, out=hidden)
    np.negative(hidden, out=hidden)
    np.exp(hidden, out=hidden)
    hidden += 1
    np.divide(1, hidden, out=hidden)
    logits: Floats = layer @ w2
    logits -= logits.max(axis=1, keepdims=True)
    return logits
