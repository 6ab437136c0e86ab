"""Training shares one forward pass between a loss and the next step, and changes nothing by it."""

from __future__ import annotations

import numpy as np
import pytest

from symmetry.network import formulas
from symmetry.network.collapsed import CollapsedCore
from symmetry.network.core import Core
from symmetry.network.descent import train, update


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (300, 6)).astype(np.uint8), rng.integers(0, 3, 300)


@pytest.mark.parametrize("core", [Core, CollapsedCore])
def test_losses_and_predictions_are_those_after_each_update(data, core):
    x, labels = data
    sizes = {"classes": 3, "hidden": 4, "dtype": "float64"}
    network = core(x, labels, **sizes)
    weights = formulas.expand(np.zeros(7), np.zeros(3), np.zeros(3), 4)
    if core is CollapsedCore:
        weights = formulas.collapse(*weights)
    seen = list(train(network, network, weights, 0.01, 4))
    assert [step.iteration for step in seen] == [1, 2, 3, 4]
    for step in seen:
        weights = update(weights, network.gradient(*weights)[1], 0.01)
        assert all(map(np.array_equal, step.weights, weights))
        loss, predictions = network.evaluate(*weights)
        assert step.loss == loss
        assert np.array_equal(step.predictions, predictions)


def test_update_rounds_to_the_dtype_of_the_weights():
    w, g = np.float32([1, 2]), np.float32([0.1, 0.3])
    (new,) = update((w,), (g,), 0.1)
    assert new.dtype == np.float32
    assert new.tolist() == (w - np.float32(0.1) * g).tolist()
