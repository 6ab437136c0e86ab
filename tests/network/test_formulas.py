"""The formulas in plain NumPy: finite differences, the collapsed network, the w2 statement."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from symmetry.network import formulas

SIZES = {
    "n": st.integers(1, 6),
    "i": st.integers(1, 4),
    "h": st.integers(1, 4),
    "c": st.integers(1, 4),
    "seed": st.integers(0, 99),
}


def draw(n, i, h, c, seed):
    rng = np.random.default_rng(seed)
    y = formulas.one_hot_encode(rng.integers(0, c, n), c, "float64")
    return rng.normal(size=(n, i)), y, rng.normal(size=(i + 1, h)), rng.normal(size=(h + 1, c))


@given(**SIZES)
def test_the_gradient_is_that_of_the_loss(n, i, h, c, seed):
    x, y, w1, w2 = draw(n, i, h, c, seed)
    y_hat, hidden = formulas.forward(x, w1, w2)
    gradients = formulas.back(x, y, y_hat, hidden, w2)
    epsilon = 1e-5
    for which, gradient in enumerate(gradients):
        for entry in np.ndindex(gradient.shape):
            losses = []
            for sign in (1, -1):
                weights = [w1.copy(), w2.copy()]
                weights[which][entry] += sign * epsilon
                losses.append(formulas.loss(x, y, *weights))
            slope = (losses[0] - losses[1]) / (2 * epsilon)
            assert abs(slope - gradient[entry]) < 1e-8


@given(**SIZES)
def test_the_collapsed_step_is_the_step_of_equal_units(n, i, h, c, seed):
    x, y, w1, w2 = draw(n, i, 1, c, seed)
    weights = formulas.collapse(w1, w2)
    full = formulas.step(x, y, *formulas.expand(*weights, h), 0.3)
    collapsed = formulas.expand(*formulas.collapsed_step(x, y, *weights, h, 0.3), h)
    for a, b in zip(full, collapsed, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


def test_the_columns_of_w2_do_not_equal_one_another():
    """Below the bias row every column of w2 holds one value, but the columns differ."""
    x = np.ones((4, 2))
    y = formulas.one_hot_encode(np.array([0, 0, 0, 1]), 2, "float64")
    _, w2 = formulas.train(x, y, np.zeros((3, 3)), np.zeros((4, 2)), 0.1, 5)
    assert np.all(w2[1:] == w2[1])
    assert w2[1, 0] > 0 > w2[1, 1]


def test_train_repeats_the_step():
    x, y, w1, w2 = draw(5, 2, 3, 2, 0)
    once = formulas.step(x, y, w1, w2, 0.1)
    twice = formulas.step(x, y, *once, 0.1)
    for a, b in zip(formulas.train(x, y, w1, w2, 0.1, 2), twice, strict=True):
        assert np.array_equal(a, b)


def test_softmax_and_loss_stay_finite_for_huge_logits():
    w1, w2 = np.zeros((2, 1)), np.array([[0.0, 0.0], [1e6, -1e6]])
    x, y = np.ones((2, 1)), formulas.one_hot_encode(np.array([0, 1]), 2, "float64")
    assert formulas.loss(x, y, w1, w2) == 5e5
    assert formulas.forward(x, w1, w2)[0].tolist() == [[1, 0], [1, 0]]


def test_accuracy_is_a_percentage():
    w1, w2 = np.zeros((2, 1)), np.array([[0.0, 1.0], [0.0, 0.0]])
    assert formulas.accuracy(np.ones((4, 1)), np.array([1, 1, 1, 0]), w1, w2) == 75
