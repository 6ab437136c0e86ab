"""Numbers that differ, and such that rounding makes differ."""

from __future__ import annotations

import numpy as np

from symmetry.units.compare import unequal


def test_rounding_and_nan_are_no_difference():
    a = np.array([1.0, np.nan, np.inf])
    assert not unequal(a, a + np.array([1e-12, 0.0, 0.0])).any()
    assert unequal(a, a + np.array([1e-6, 0.0, 0.0])).tolist() == [True, False, False]
    assert unequal(np.array([1, 2]), np.array([1, 3])).tolist() == [False, True]


def test_masked_scores_are_equal_and_hide_no_others():
    scores = np.array([-np.inf, 1.0, 2.0])
    assert unequal(scores, np.array([-np.inf, 1.0, 3.0])).tolist() == [False, False, True]
    assert unequal(scores, np.array([0.0, 1.0, 2.0])).tolist() == [True, False, False]
