"""Arrays that are the same up to a tolerance."""

from __future__ import annotations

import numpy as np
import pytest

from symmetry.finding.exchange.tolerance import (
    changed,
    largest_entry,
    on_one_scale,
    positions,
    same,
)

LITTLE, MORE = np.array([5e-7, 0]), np.array([2e-6, 0])


def test_the_tolerance_is_relative_to_the_largest_entry():
    array = np.array([1.0, 1000.0])
    assert same(array, array + LITTLE)
    assert not same(array, array + MORE)
    assert same(array, array + MORE, 1e-8)
    assert changed(array, array + MORE).tolist() == [True, False]


@pytest.mark.parametrize("kind", [np.int64, bool])
def test_integers_and_truth_values_have_no_tolerance(kind):
    array = np.array([0, 1, 1], kind)
    assert same(array, array.copy())
    assert not same(array, array[::-1])
    assert changed(array, array[::-1]).tolist() == [True, False, True]


def test_arrays_of_other_shapes_differ():
    assert not same(np.ones(3), np.ones((3, 1)))


@pytest.mark.parametrize("huge", [-1e9, -np.inf])
def test_a_mask_does_not_hide_other_changes(huge):
    array = np.array([huge, 1.0, 2.0])
    assert same(array, array.copy())
    assert not same(array, array + np.array([0, 1e-3, 0]))
    assert changed(array, array + np.array([0, 1e-3, 0])).tolist() == [False, True, False]


@pytest.mark.parametrize("entry", [np.nan, np.inf, 1e9])
def test_an_entry_that_becomes_huge_or_nan_is_a_change(entry):
    array, new = np.array([1.0, 2.0]), np.array([1.0, entry])
    for largest in (None, 2.0):
        assert not same(array, new, largest=largest)
        assert not same(new, array)
        assert same(array, array + 1e-10, largest=largest)


def test_a_change_outside_of_the_sample_is_seen():
    array = np.ones((200, 300))
    for place in ((0, 0), (0, 1), (199, 299)):
        other = array.copy()
        other[place] += 1e-3
        assert not same(array, other)
    assert same(array, array + 1e-12)


def test_infinities_and_nan_can_be_subtracted_on_one_scale():
    array = np.array([-np.inf, np.nan, 1.0])
    old, new = on_one_scale(array, array[[1, 0, 2]])
    assert np.isfinite(old - new).all()
    assert [side.dtype for side in on_one_scale(array > 0, array > 0)] == [np.int64, np.int64]


def test_the_largest_entry_may_be_negative_complex_or_missing():
    assert largest_entry(np.array([1.0, -3.0])) == 3
    assert largest_entry(np.array([3 + 4j])) == 5
    assert largest_entry(np.zeros(0)) == 0


def test_positions_of_a_mask():
    mask = np.zeros((3, 4), bool)
    mask[1, 2] = mask[2, 2] = True
    assert positions(mask) == [(1, 2), (2,)]
