"""The project's own core, compiled by Numba: its bits never change."""

import sys
from collections.abc import Iterator

import numpy as np

from symmetry.network.core import Core, step
from symmetry.network.training import train
from symmetry.targets.contestant import Given, Iteration

__all__ = ["contestant", "step"]


def contestant(given: Given) -> Iterator[Iteration]:
    """Train on two cores: one holds the training set, one the test set."""
    x, labels, test_x, test_labels, w1, w2, lr = given
    hidden, classes = w2[1:].shape
    core, test = (
        Core(*data, classes=classes, hidden=hidden, dtype=w1.dtype.name)
        for data in ((x, labels), (test_x, test_labels))
    )
    for now in train(core, test, (w1, w2), lr, iterations=sys.maxsize):
        correct = int(np.count_nonzero(now.predictions == test_labels))
        yield Iteration(now.loss, correct, *now.weights)
