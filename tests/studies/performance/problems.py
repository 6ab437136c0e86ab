"""What is trained: MNIST or a part of it, and made-up inputs with a chosen share of nonzeros."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from symmetry.experiment.data.dataset import Dataset, load_mnist

INPUTS = 784
TEST_SHARE = 6  # a test sample for so many training samples, as in MNIST


@dataclass(frozen=True)
class Problem:
    """A training and a test set, both with 784 inputs."""

    x: Any
    labels: Any
    test_x: Any
    test_labels: Any
    classes: int = 10

    @property
    def nonzeros(self) -> int:
        """Nonzeros of the training set, column of ones included."""
        return int(np.count_nonzero(self.x)) + len(self.x)

    @property
    def visits(self) -> int:
        """How often an iteration multiplies a nonzero by a row: twice in training, once in test."""
        return 2 * self.nonzeros + int(np.count_nonzero(self.test_x)) + len(self.test_x)

    @property
    def share(self) -> float:
        """Share of the inputs that are not zero."""
        return (self.nonzeros - len(self.x)) / self.x.size


@cache
def mnist() -> Dataset:
    """Return MNIST, unpacked once."""
    return load_mnist()


def images(n: int) -> Problem:
    """Return the first `n` training images of MNIST as bytes, and as many test images as fit."""
    data, test = mnist(), n // TEST_SHARE
    return Problem(
        data.train_x[:n], data.train_labels[:n], data.test_x[:test], data.test_labels[:test]
    )


def scattered(n: int, share: float, classes: int = 10) -> Problem:
    """Return float32 inputs, a `share` of them at random places between 1/255 and 1, others 0."""
    rng = np.random.default_rng(0)

    def draw(samples: int) -> tuple[Any, Any]:
        shape = samples, INPUTS
        values = rng.integers(1, 256, shape, np.uint8) * (rng.random(shape, np.float32) < share)
        return values / np.float32(255), rng.integers(0, classes, samples)

    return Problem(*draw(n), *draw(n // TEST_SHARE), classes)
