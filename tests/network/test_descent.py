"""Training shares one forward pass between a loss and the next step, and changes nothing by it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from symmetry.network import formulas
from symmetry.network.core import Core
from symmetry.network.descent import CollapsedCore, train, update
from tests.network import oracle
from tests.network.arrays import DTYPES, draw_arrays, same_bits


@given(
    n=st.integers(1, 70),
    i=st.integers(1, 9),
    h=st.integers(1, 300),
    c=st.integers(1, 5),
    dtype=st.sampled_from(DTYPES),
    dense=st.booleans(),
    threads=st.integers(1, 4),
    seed=st.integers(0, 99),
)
@example(n=257, i=2, h=2, c=2, dtype="float32", dense=True, threads=4, seed=1)
@example(n=900, i=3, h=200, c=3, dtype="float32", dense=False, threads=3, seed=2)
@example(n=600, i=2, h=200, c=2, dtype="float64", dense=True, threads=2, seed=3)
def test_collapsed_core_equals_the_oracle_to_the_bit(n, i, h, c, dtype, dense, threads, seed):
    x, labels, w1, w2 = draw_arrays(n, i, 1, c, dtype, dense, seed)
    weights = formulas.collapse(w1, w2)
    expected_loss, expected = oracle.collapsed_gradient(x, labels, *weights, h)
    network = CollapsedCore(x, labels, classes=c, hidden=h, dtype=dtype, threads=threads)
    loss, gradients = network.gradient(*weights)
    assert loss == expected_loss
    assert all(map(same_bits, gradients, expected))
    assert network.evaluate(*weights)[0] == expected_loss


def test_collapsed_predictions_are_those_of_the_expanded_network():
    x, labels, w1, w2 = draw_arrays(700, 5, 1, 4, "float64", True, 0)
    weights = formulas.collapse(w1, w2)
    _, predictions = CollapsedCore(x, labels, classes=4, hidden=7, dtype="float64").evaluate(
        *weights
    )
    assert np.array_equal(predictions, formulas.classify(x, *formulas.expand(*weights, 7)))


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
