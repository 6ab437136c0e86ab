"""Every contestant is the formulas, up to rounding, step by step."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symmetry.experiment.data.dataset import Dataset
from symmetry.network import formulas
from tests.steps.builtin.each import EACH_BUILTIN
from tests.steps.builtin.test_builtin import DTYPES, SIZES, draw_problem, tolerance
from tests.studies.frameworks.contestants import contestant


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
