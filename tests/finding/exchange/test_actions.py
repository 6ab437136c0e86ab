"""Actions on arrays, against exchanges one entry at a time."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from symmetry.finding.exchange import actions
from symmetry.finding.exchange.actions import (
    LABELS,
    Factor,
    derive,
    extends,
    fits,
    moved,
    with_factors,
)


@st.composite
def shape_and_factor(draw: st.DrawFn) -> tuple[tuple[int, ...], Factor]:
    shape = tuple(draw(st.lists(st.integers(2, 5), min_size=1, max_size=3)))
    axis = draw(st.integers(0, len(shape) - 1))
    places = draw(st.permutations(range(shape[axis])))
    count = draw(st.integers(1, shape[axis] // 2))
    pairs = tuple(sorted(tuple(sorted(places[2 * k : 2 * k + 2])) for k in range(count)))
    within = []
    for other in (a for a in range(len(shape)) if a != axis):
        if draw(st.booleans()):
            size = draw(st.integers(1, shape[other] - 1))
            start = draw(st.integers(0, shape[other] - size))
            within.append((other, tuple(range(start, start + size))))
    return shape, (axis, pairs, tuple(within))


def numbered(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).permutation(int(np.prod(shape))).reshape(shape) + 1.0


def by_entry(array: np.ndarray, factor: Factor) -> np.ndarray:
    axis, pairs, within = factor
    partner = {i: j for pair in pairs for i, j in (pair, pair[::-1])}
    new = array.copy()
    for index in np.ndindex(array.shape):
        if all(index[a] in places for a, places in within):
            source = list(index)
            source[axis] = partner.get(index[axis], index[axis])
            new[index] = array[tuple(source)]
    return new


@given(shape_and_factor())
def test_an_action_exchanges_entries(drawn):
    shape, factor = drawn
    array = numbered(shape)
    before = array.copy()
    assert np.array_equal(actions.moved(array, (factor,)), by_entry(array, factor))
    assert np.array_equal(array, before)


@given(shape_and_factor())
def test_an_action_undoes_itself(drawn):
    shape, factor = drawn
    array = numbered(shape)
    assert np.array_equal(actions.moved(actions.moved(array, (factor,)), (factor,)), array)


def test_factors_join_unless_they_contradict_each_other():
    one, other = (0, ((0, 1),), ()), (0, ((2, 3),), ())
    assert actions.joined((one,), other) == ((0, ((0, 1), (2, 3)), ()),)
    assert actions.joined((one,), one) == (one,)
    assert actions.joined((one,), (0, ((1, 2),), ())) is None
    assert actions.joined((one,), (1, ((1, 2),), ())) == (one, (1, ((1, 2),), ()))


def test_older_factors_give_way_to_others_along_their_axis():
    one, other = (0, ((0, 1),), ()), (0, ((1, 2),), ())
    assert with_factors((one,), [(0, ((2, 3),), ())]) == ((0, ((0, 1), (2, 3)), ()),)
    assert with_factors((one,), [other]) == (other,)


def test_an_action_extends_another_if_it_swaps_all_of_its_slices():
    small, large = (0, ((0, 1),), ()), (0, ((0, 1), (2, 3)), ())
    assert extends((large,), (small,))
    assert not extends((small,), (large,))
    assert not extends(((1, ((0, 1),), ()),), (small,))


def test_an_action_fits_an_array_that_has_its_slices():
    within = ((1, ((0, 2),), ((0, (1,)),)),)
    assert fits((2, 3), within)
    assert not fits((2, 2), within)
    assert not fits((1, 3), within)
    assert not fits((3,), within)


def test_labels_are_exchanged_wherever_they_stand():
    old, new = np.array([[2, 0, 1], [1, 1, 0]]), np.array([[2, 1, 0], [0, 0, 1]])
    assert np.array_equal(actions.moved(old, ((actions.LABELS, ((0, 1),), ()),)), new)


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
