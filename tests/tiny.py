"""Data sets of a few pixels for tests of the experiment, and cores that are broken on purpose."""

from __future__ import annotations

from typing import Any

import numpy as np

from symmetry.base.randomness.random import Random
from symmetry.experiment.data.dataset import Dataset
from symmetry.network.core import Core


def tiny_data(
    *,
    shape: tuple[int, int] = (3, 2),
    train: int = 12,
    test: int = 5,
    classes: int = 3,
    balanced: bool = False,
    dead: bool = True,
) -> Dataset:
    """Return random images and labels; with ``dead``, the first pixel is never lit."""
    random = Random(0)
    images = [random.integers(255, (n, *shape)).astype(np.uint8) + 1 for n in (train, test)]
    if dead:
        images[0][:, 0, 0] = 0
    labels = np.arange(train) % classes if balanced else random.integers(classes, train)
    if not balanced and classes > 1:
        labels[:classes] = 0  # so that classes differ in number for certain
    return Dataset(
        name="tiny",
        files={"train-images-idx3-ubyte": "0" * 64},
        image_shape=shape,
        train_x=images[0].reshape(train, -1),
        train_labels=labels.astype(np.uint8),
        test_x=images[1].reshape(test, -1),
        test_labels=random.integers(classes, test).astype(np.uint8),
        classes=classes,
    )


class LastUnitCore(Core):
    """Rounds the last hidden unit's gradient in w1 differently, as a bad tail loop would."""

    def gradient(self, *weights: Any) -> Any:
        loss, (g1, g2) = super().gradient(*weights)
        g1 = g1.copy()
        g1[:, -1] = np.nextafter(g1[:, -1], g1.dtype.type(np.inf), dtype=g1.dtype) * (
            g1[:, -1] != 0
        )
        return loss, (g1, g2)


class FirstRowCore(Core):
    """Gets the first hidden row of w2 wrong, from the first step on."""

    def gradient(self, *weights: Any) -> Any:
        loss, (g1, g2) = super().gradient(*weights)
        g2 = g2.copy()
        g2[1] *= 2
        return loss, (g1, g2)


class LivingDeadCore(Core):
    """Moves the weights of a pixel that is never lit."""

    def gradient(self, *weights: Any) -> Any:
        loss, (g1, g2) = super().gradient(*weights)
        g1 = g1.copy()
        g1[1] = g1[2]
        return loss, (g1, g2)
