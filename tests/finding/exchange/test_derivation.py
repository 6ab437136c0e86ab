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


def test_infinities_and_rounding_do_not_hide_an_exchange():
    array = np.array([[1.0, -np.inf], [2.0, np.nan], [3.0, 4.0]])
    new = array[[1, 0, 2]]
    assert derive(array, new + 1e-13) == ((0, ((0, 1),), ()),)


def test_labels_are_derived_from_the_hint():
    old, new = np.array([[2, 0, 1], [1, 1, 0]]), np.array([[2, 1, 0], [0, 0, 1]])
    assert derive(old, new) is None
    assert derive(old, new, [((0, ((0, 1),), ()),)]) == ((LABELS, ((0, 1),), ()),)
