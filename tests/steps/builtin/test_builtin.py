"""Every built-in step is the formulas, up to rounding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symmetry.network import formulas
from symmetry.targets.resolve import resolve
from tests.steps.builtin.each import EACH_BUILTIN

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
