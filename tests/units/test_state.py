"""Whether states are finite, and how far apart: numbers that are not finite may be meant."""

from __future__ import annotations

import math

import numpy as np
import pytest

from symmetry.units.state import difference, finite, size

INF, NAN = math.inf, math.nan


def test_what_is_not_finite_at_the_start_is_meant():
    state = {"mask": np.array([0.0, -INF]), "weight": np.array([1.0, 2.0])}
    assert not finite(state)
    assert finite(state, state)
    assert not finite({**state, "weight": np.array([1.0, NAN])}, state)
    assert not finite({"new": np.array([INF])}, state)


@pytest.mark.parametrize(
    ("a", "b", "apart"),
    [
        ([1.0, 2.0], [1.0, 2.5], 0.5),
        ([0.0, -INF], [0.25, -INF], 0.25),
        ([NAN, 1.0], [NAN, 3.0], 2.0),
        ([-INF], [INF], INF),
        ([INF], [1.0], INF),
        ([NAN], [1.0], INF),
        ([1.0], [1.0, 2.0], INF),
        ([], [], 0.0),
    ],
)
def test_the_same_infinities_are_not_apart(a, b, apart):
    assert difference(np.array(a), np.array(b)) == apart
    assert difference(np.array(a), None) == INF


def test_the_size_is_that_of_the_largest_finite_entry():
    assert size(np.array([1.0, -3.0])) == 3
    assert size(np.array([1.0, -INF, NAN, -2.0])) == 2
    assert size(np.array([])) == 0
