"""Every built-in trainer is the formulas, up to rounding, for one step and for a whole training."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symmetry.data.dataset import Dataset
from symmetry.network import formulas
from symmetry.targets.resolve import contestant, resolve
from tests.builtin.frameworks import EACH_BUILTIN

SIZES = st.tuples(  # n, i, h, c; few different ones, since JAX compiles for each
    st.sampled_from([1, 2, 9, 40]),
    st.sampled_from([1, 3, 17]),
    st.sampled_from([1, 2, 5, 8, 33]),
    st.sampled_from([1, 2, 10]),
)
DTYPES = st.sampled_from(["float32", "float64"])


def draw_problem(sizes, dtype, seed, pixels=False):
    """Return x, labels, w1 and w2, with pre-activations and logits of order 1."""
    n, i, h, c = sizes
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, (n, i)).astype(np.uint8) if pixels else rng.uniform(0, 1, (n, i))
    w1 = rng.normal(0, 1, (i + 1, h)) / (i * 128 if pixels else i)
    w2 = rng.normal(0, 1, (h + 1, c)) / h
    return (
        x if pixels else x.astype(dtype),
        rng.integers(0, c, n),
        w1.astype(dtype),
        w2.astype(dtype),
    )


def tolerance(sizes, dtype):
    n, i, h, c = sizes
    return 4 * (n + i + h + c) * float(np.finfo(dtype).eps)


@pytest.mark.parametrize("name", EACH_BUILTIN)
@settings(max_examples=15)
@given(
    sizes=SIZES, dtype=DTYPES, lr=st.sampled_from([1e-3, 0.1, 2.0]), seed=st.integers(0, 2**32 - 1)
)
def test_step_is_the_formulas(name, sizes, dtype, lr, seed):
    x, labels, w1, w2 = draw_problem(sizes, dtype, seed)
    y = formulas.one_hot_encode(labels, sizes[3], dtype)
    result = resolve(name).start()(x, y, w1, w2, lr)
    expected = formulas.step(*(a.astype("float64") for a in (x, y, w1, w2)), lr)
    for found, reference, old in zip((result.w1, result.w2), expected, (w1, w2), strict=True):
        assert found.dtype == dtype
        scale = np.abs(old).max() + lr
        np.testing.assert_allclose(found, reference, rtol=0, atol=tolerance(sizes, dtype) * scale)
    np.testing.assert_array_equal(result.x, x)
    np.testing.assert_array_equal(result.y, y)


@pytest.mark.parametrize("name", EACH_BUILTIN)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_zero_start_moves_every_class_and_no_input(name, dtype):
    x, labels, w1, w2 = draw_problem((20, 6, 7, 3), dtype, seed=1)
    y = formulas.one_hot_encode(labels, 3, dtype)
    result = resolve(name).start()(x, y, np.zeros_like(w1), np.zeros_like(w2), 0.5)
    assert not result.w1.any()
    assert result.w2.all()


def dataset(x, labels, test_x, test_labels, classes):
    return Dataset("drawn", {}, (1, x.shape[1]), x, labels, test_x, test_labels, classes)


@pytest.mark.parametrize("name", EACH_BUILTIN)
@settings(max_examples=8)
@given(sizes=SIZES, dtype=DTYPES, pixels=st.booleans(), seed=st.integers(0, 2**32 - 1))
def test_training_is_the_formulas_step_by_step(name, sizes, dtype, pixels, seed):
    x, labels, w1, w2 = draw_problem(sizes, dtype, seed, pixels)
    test_x, test_labels, _, _ = draw_problem((7, *sizes[1:]), dtype, seed + 1, pixels)
    lr = 1e-3 if pixels else 0.3
    run = contestant(name)(dataset(x, labels, test_x, test_labels, sizes[3]), w1, w2, lr)
    y = formulas.one_hot_encode(labels, sizes[3], "float64")
    weights = w1.astype("float64"), w2.astype("float64")
    for _ in range(3):
        loss, correct, *trained = next(run)
        trained = [*map(np.array, trained)]
        weights = formulas.step(x.astype("float64"), y, *weights, lr)
        assert isinstance(loss, float)
        assert isinstance(correct, int)
        for found, reference in zip(trained, weights, strict=True):
            assert found.dtype == dtype
            atol = 100 * tolerance(sizes, dtype) * (np.abs(reference).max() + lr)
            np.testing.assert_allclose(found, reference, rtol=0, atol=atol)
        own = [w.astype("float64") for w in trained]
        assert loss == pytest.approx(
            formulas.loss(x.astype("float64"), y, *own), abs=8 * tolerance(sizes, dtype)
        )
        y_hat, _ = formulas.forward(test_x.astype("float64"), *own)
        assert correct == np.count_nonzero(y_hat.argmax(axis=1) == test_labels)


@pytest.mark.parametrize("name", EACH_BUILTIN)
def test_training_leaves_the_start_alone(name):
    x, labels, w1, w2 = draw_problem((9, 3, 5, 2), "float32", seed=3)
    kept = [a.copy() for a in (x, labels, w1, w2)]
    run = contestant(name)(dataset(x, labels, x, labels, 2), w1, w2, 0.3)
    next(run)
    for array, untouched in zip((x, labels, w1, w2), kept, strict=True):
        np.testing.assert_array_equal(array, untouched)
