"""The core of the collapsed network against the oracle, to the bit."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from symmetry.network import formulas
from symmetry.network.collapsed import CollapsedCore
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
