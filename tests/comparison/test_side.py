"""Sizes, least responses and distances of what two runs show."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from symmetry.comparison.side import apart, floor, scales
from symmetry.training.observation import Observation, ObservedName

ARRAYS = arrays(np.float64, array_shapes(max_dims=3, max_side=4), elements=st.floats(-9, 9))
LOSS, WEIGHT, COUNT = (
    ObservedName("loss", ""),
    ObservedName("update", "w"),
    ObservedName("update", "n"),
)


@given(ARRAYS)
def test_it_is_the_largest_difference(array):
    other = array + np.linspace(0, 1, array.size).reshape(array.shape)
    assert apart([array], [other]) == pytest.approx(abs(other - array).max())
    assert apart([array], [array]) == 0


@given(st.integers(1, 4), st.integers(1, 3))
def test_a_batch_in_parts_is_the_batch(parts, width):
    whole = np.arange(12.0 * width).reshape(12, width)
    pieces = np.array_split(whole, parts)
    assert apart([whole], pieces) == apart(pieces, [whole]) == 0


def test_what_does_not_correspond_has_no_distance():
    assert apart([np.ones(3)], None) is None
    assert apart([np.ones(3)], [np.ones(4)]) is None
    assert apart([np.ones(3)] * 2, [np.ones(3)] * 3) is None


def test_infinite_is_what_only_one_of_them_is():
    assert apart([np.array([math.inf, 1])], [np.array([math.inf, 2])]) == 1
    assert apart([np.array([math.nan, 1])], [np.array([math.nan, 1])]) == 0
    assert apart([np.array([math.inf, 1])], [np.array([3.0, 1])]) == math.inf


def test_a_state_has_the_size_that_it_has_anywhere():
    kept = [
        Observation({LOSS: [np.array(3.0)], WEIGHT: [np.array([0.5, -2])]}),
        Observation({LOSS: [np.array(7.0)], WEIGHT: [np.array([0.25, math.inf])]}),
    ]
    assert scales({"w": np.array([1.0, 1.0])}, kept) == [
        {LOSS: 3.0, WEIGHT: 2.0},
        {LOSS: 7.0, WEIGHT: 2.0},
    ]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_least_response_is_one_ulp_and_of_integers_nothing(dtype):
    kept = [Observation({WEIGHT: [np.array([8.0], dtype)], COUNT: [np.array([8])]})]
    least = floor(dtype, kept, [{WEIGHT: 8.0, COUNT: 8.0}])
    assert least == [{WEIGHT: 8 * np.finfo(dtype).eps, COUNT: 0.0}]
