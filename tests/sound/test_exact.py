"""The zoo stands on arithmetic that does not care where an entry lies."""

from __future__ import annotations

import numpy as np
import pytest

from tests.sound.exact import product

SIZES = [1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65, 97, 128, 129, 200, 201, 255, 257]
DTYPES = ["float32", "float64"]
FUNCTIONS = [np.exp, np.exp2, np.log, np.sqrt, np.tanh, np.arctan, np.cos, np.sin, np.reciprocal]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES)
def test_product_treats_equal_columns_and_rows_alike(size, dtype):
    random = np.random.default_rng(size)
    a = random.normal(size=(37, 300)).astype(dtype)
    column = random.normal(size=(300, 1)).astype(dtype)
    for b in (np.repeat(column, size, axis=1), np.repeat(column.T, size, axis=0).T):
        across, down = product(a, b), product(b.T, a.T)
        assert (across == across[:, :1]).all()
        assert (down == down[:1]).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [1, 2, 5, 64])
def test_it_makes_no_difference_how_a_matrix_is_divided(rows, dtype):
    random = np.random.default_rng(0)
    a = random.normal(size=(rows, 100)).astype(dtype)
    b = random.normal(size=(100, 257)).astype(dtype)
    whole = product(a, b)
    for parts in ([slice(None, None, 2), slice(1, None, 2)], [slice(0, 3), slice(3, None)]):
        for part in parts:
            np.testing.assert_array_equal(product(a, b[:, part]), whole[:, part])
            np.testing.assert_array_equal(product(b.T[part], a.T), whole.T[part])


@pytest.mark.parametrize("shape", [(3, 5, 2), (1, 0, 4), (0, 3, 2), (40, 1000, 5), (1, 9, 1)])
def test_product_is_the_product(shape):
    rows, terms, columns = shape
    random = np.random.default_rng(0)
    a, b = random.normal(size=(rows, terms)), random.normal(size=(terms, columns))
    np.testing.assert_allclose(product(a, b), a @ b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_gives_the_same_bits_wherever_the_number_lies(function, dtype):
    random = np.random.default_rng(0)
    scales = (1e-3, 0.1, 1, 10, 100)
    numbers = np.concatenate([random.normal(0, scale, 100) for scale in scales]).astype(dtype)
    with np.errstate(all="ignore"):
        alone = np.array([function(numbers[k : k + 1])[0] for k in range(len(numbers))])
        for size in SIZES:
            values = function(np.repeat(numbers[:, None], size, axis=1))
            np.testing.assert_array_equal(values, np.repeat(alone[:, None], size, axis=1))
