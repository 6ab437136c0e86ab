"""The core: one holds the training set, another one the test set."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np

from symmetry.experiment.data.dataset import Dataset
from symmetry.network.core import Core
from symmetry.network.descent import train
from symmetry.units.compare import Floats
from tests.studies.frameworks.contestants import Iteration


def contestant(data: Dataset, w1: Floats, w2: Floats, lr: float) -> Iterator[Iteration]:
    """Train on two cores: one holds the training set, one the test set."""
    sets = (data.train_x, data.train_labels), (data.test_x, data.test_labels)
    sizes = {"classes": data.classes, "hidden": w1.shape[1]}
    core, test = (Core(*each, **sizes, dtype=w1.dtype.name) for each in sets)
    for now in train(core, test, (w1, w2), lr, iterations=sys.maxsize):
        correct = int(np.count_nonzero(now.predictions == data.test_labels))
        yield Iteration(now.loss, correct, *now.weights)
