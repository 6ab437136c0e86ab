"""Actions derived from two arrays."""

from __future__ import annotations

import numpy as np
from hypothesis import given

from symmetry.finding.exchange.actions import LABELS, moved
from symmetry.finding.exchange.derivation import derive
from tests.finding.exchange.test_actions import numbered, shape_and_factor


@given(shape_and_factor())
def test_an_action_is_derived_from_what_it_does(drawn):
    shape, factor = drawn
    array = numbered(shape)
    new = moved(array, (factor,))
    derived = derive(array, new)
    assert derived is not None
    assert np.array_equal(moved(array, derived), new)
    assert derive(array, new, [(factor,)]) == (factor,)


@given(shape_and_factor(), shape_and_factor())
def test_two_axes_are_derived_from_hints(one, other):
    (shape, (_, pairs, _)), _ = one, other
    size = shape[0] if max(max(p) for p in pairs) < shape[0] else max(shape)
    array = numbered((size, size))
    both = ((0, pairs, ()), (1, pairs, ()))
    derived = derive(array, moved(array, both), [((0, pairs, ()),)])
    assert derived == both


def test_what_is_no_exchange_has_no_action():
    array = numbered((3, 4))
    assert derive(array, array) == ()
    assert derive(array, array.T) is None
    assert derive(array, array + 1) is None
    assert derive(array, np.roll(array, 1, axis=0)) is None  # a rotation of three


@given(shape_and_factor())
def test_a_move_with_rounding_is_derived_and_one_with_a_change_is_not(drawn):
    shape, factor = drawn
    array = numbered(shape)
    new, largest = moved(array, (factor,)), abs(array).max()
    assert derive(array, new + 0.9e-9 * largest) is not None  # every sum is off by its most
    new.flat[0] += 1e-6 * largest
    assert derive(array, new) is None


def test_normalised_entries_that_are_no_move_of_others_have_no_action():
    array = np.random.default_rng(0).standard_normal((6, 8))
    new = np.random.default_rng(1).standard_normal((6, 8))
    old, new = ((a - a.mean(1, keepdims=True)) / a.std(1, keepdims=True) for a in (array, new))
    assert derive(old, new) is None
    assert derive(old, old[[1, 0, 2, 3, 4, 5]]) == ((0, ((0, 1),), ()),)


def test_infinities_and_rounding_do_not_hide_an_exchange():
    array = np.array([[1.0, -np.inf], [2.0, np.nan], [3.0, 4.0]])
    new = array[[1, 0, 2]]
    assert derive(array, new + 1e-13) == ((0, ((0, 1),), ()),)


def test_labels_are_derived_from_the_hint():
    old, new = np.array([[2, 0, 1], [1, 1, 0]]), np.array([[2, 1, 0], [0, 0, 1]])
    assert derive(old, new) is None
    assert derive(old, new, [((0, ((0, 1),), ()),)]) == ((LABELS, ((0, 1),), ()),)
