"""Actions on arrays, against exchanges one entry at a time."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from symmetry.finding import actions
from symmetry.finding.actions import Factor


@st.composite
def shape_and_factor(draw: st.DrawFn) -> tuple[tuple[int, ...], Factor]:
    shape = tuple(draw(st.lists(st.integers(2, 5), min_size=1, max_size=3)))
    axis = draw(st.integers(0, len(shape) - 1))
    places = draw(st.permutations(range(shape[axis])))
    count = draw(st.integers(1, shape[axis] // 2))
    pairs = tuple(sorted(tuple(sorted(places[2 * k : 2 * k + 2])) for k in range(count)))
    where = []
    for other in (a for a in range(len(shape)) if a != axis):
        if draw(st.booleans()):
            size = draw(st.integers(1, shape[other] - 1))
            start = draw(st.integers(0, shape[other] - size))
            where.append((other, tuple(range(start, start + size))))
    return shape, (axis, pairs, tuple(where))


def numbered(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).permutation(int(np.prod(shape))).reshape(shape) + 1.0


def by_entry(array: np.ndarray, factor: Factor) -> np.ndarray:
    axis, pairs, where = factor
    partner = {i: j for pair in pairs for i, j in (pair, pair[::-1])}
    new = array.copy()
    for index in np.ndindex(array.shape):
        if all(index[a] in places for a, places in where):
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


@given(shape_and_factor())
def test_an_action_is_derived_from_what_it_does(drawn):
    shape, factor = drawn
    array = numbered(shape)
    new = actions.moved(array, (factor,))
    found = actions.derive(array, new)
    assert found is not None
    assert np.array_equal(actions.moved(array, found), new)
    assert actions.derive(array, new, [(factor,)]) == (factor,)


@given(shape_and_factor(), shape_and_factor())
def test_two_axes_are_derived_from_hints(one, other):
    (shape, (_, pairs, _)), _ = one, other
    size = shape[0] if max(max(p) for p in pairs) < shape[0] else max(shape)
    array = numbered((size, size))
    both = ((0, pairs, ()), (1, pairs, ()))
    found = actions.derive(array, actions.moved(array, both), [((0, pairs, ()),)])
    assert found == both


def test_what_is_no_exchange_has_no_action():
    array = numbered((3, 4))
    assert actions.derive(array, array) == ()
    assert actions.derive(array, array.T) is None
    assert actions.derive(array, array + 1) is None
    assert actions.derive(array, np.roll(array, 1, axis=0)) is None  # a rotation of three


def test_factors_join_unless_they_contradict_each_other():
    one, other = (0, ((0, 1),), ()), (0, ((2, 3),), ())
    assert actions.joined((one,), other) == ((0, ((0, 1), (2, 3)), ()),)
    assert actions.joined((one,), one) == (one,)
    assert actions.joined((one,), (0, ((1, 2),), ())) is None
    assert actions.joined((one,), (1, ((1, 2),), ())) == (one, (1, ((1, 2),), ()))


def test_infinities_and_rounding_do_not_hide_an_exchange():
    array = np.array([[1.0, -np.inf], [2.0, np.nan], [3.0, 4.0]])
    new = array[[1, 0, 2]]
    assert actions.derive(array, new + 1e-13) == ((0, ((0, 1),), ()),)


def test_labels_are_exchanged_wherever_they_stand():
    old, new = np.array([[2, 0, 1], [1, 1, 0]]), np.array([[2, 1, 0], [0, 0, 1]])
    relabelled = ((actions.LABELS, ((0, 1),), ()),)
    assert np.array_equal(actions.moved(old, relabelled), new)
    assert actions.derive(old, new, [((0, ((0, 1),), ()),)]) == relabelled
