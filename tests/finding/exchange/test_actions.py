"""Actions on arrays, against exchanges one entry at a time."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from symmetry.finding.exchange import actions
from symmetry.finding.exchange.actions import Factor, extends, fits, with_factors


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
