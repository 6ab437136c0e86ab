from __future__ import annotations

import numpy as np
import pytest

from symmetry.culprit.layout import (
    MORE,
    Axis,
    Layout,
    agreement,
    alike,
    by_size,
    groups,
    layouts,
    make_alike,
    units,
)

ALL = np.zeros(4, dtype=np.intp)  # four units that start alike
PAIRS = np.array([0, 0, 2, 2])


def axis_of(shape, larger, doubled=None, hidden=4):
    found = layouts(shape, larger, doubled, hidden)
    return [layout.axes[0] for layout in found]


def test_the_axis_that_grew_is_theirs_even_if_another_has_the_same_length():
    assert axis_of((4, 4), (4, 6)) == [Axis(1, 0, 4)]
    assert axis_of((4, 4), (6, 4)) == [Axis(0, 0, 4)]


def test_no_axis_grew():
    assert axis_of((4, 4), (4, 4)) == []
    assert axis_of((4,), (4, 6)) == []


def test_a_bias_may_be_in_front_or_behind():
    assert axis_of((5, 3), (7, 3)) == [Axis(0, 1, 4, 0), Axis(0, 0, 4, 1)]


def test_two_merged_axes_may_be_either_way_round():
    assert axis_of((12,), (18,)) == [
        Axis(0, 0, 4, outer=3, inner=1),
        Axis(0, 0, 4, outer=1, inner=3),
    ]
    assert Axis(0, 1, 4, 0, 3, 1) in axis_of((15,), (21,))


@pytest.mark.parametrize("size", [1, 2, 3])
def test_some_units_only(size):
    (axis,) = axis_of((size,), (size + 1,))
    assert (axis.count, axis.whole) == (size, False)
    (axis,) = axis_of((size,), (size + MORE,))
    assert (axis.count, axis.whole) == (size, False)


def test_padding_is_seen_with_twice_as_many_units():
    assert axis_of((8,), (8,)) == []
    assert axis_of((6,), (6,), (10,)) == [Axis(0, 0, 4, 2), Axis(0, 2, 4, 0)]


def test_two_hidden_axes():
    (layout,) = layouts((4, 4), (6, 6), None, 4)
    assert [axis.number for axis in layout.axes] == [0, 1]


@pytest.mark.parametrize(("shape", "larger"), [((17,), (24,)), ((4, 4, 4), (6, 6, 6))])
def test_growth_that_is_not_understood(shape, larger):
    assert layouts(shape, larger, None, 4) == ()


def test_by_size_where_the_length_is_unmistakable():
    assert by_size((9, 4), 4, [9]) == (Layout((Axis(1, 0, 4),)),)
    assert by_size((5, 3), 4, [3]) == (Layout((Axis(0, 1, 4),)),)
    assert by_size((4, 4), 4, []) == ()
    assert by_size((9, 4), 4, [4, 9]) == ()


def test_units_of_a_plain_axis_are_a_view():
    values = np.arange(15.0).reshape(3, 5)
    found = units(values, Layout((Axis(1, 1, 4),)))
    assert np.shares_memory(found, values)
    assert (found.reshape(4, 3) == values[:, 1:].T).all()


def test_units_of_merged_axes():
    values = np.arange(12.0)
    assert (units(values, Layout((Axis(0, 0, 4, 0, 3, 1),)))[1].ravel() == [1, 5, 9]).all()
    assert (units(values, Layout((Axis(0, 0, 4, 0, 1, 3),)))[1].ravel() == [3, 4, 5]).all()


ROWS = Layout((Axis(0, 1, 4),))


def test_alike_ignores_the_bias_the_sign_of_zero_and_nan():
    values = np.array([[9, 9], [0.0, np.nan], [-0.0, np.nan], [0, np.nan], [0, np.nan]])
    assert alike(values, ROWS, ALL)
    values[3, 0] = np.nextafter(0, 1)
    assert not alike(values, ROWS, ALL)
    assert alike(values, ROWS, np.array([0, 0, 2, 3]))


def test_likes_are_compared_with_likes():
    values = np.array([9.0, 1, 1, 2, 2])
    assert alike(values, ROWS, PAIRS)
    assert not alike(values, ROWS, ALL)


def test_pairs_of_units_are_alike_if_a_permutation_changes_nothing():
    square = Layout((Axis(0, 0, 4), Axis(1, 0, 4)))
    assert alike(np.eye(4), square, ALL)
    assert alike(np.full((4, 4), 2.0), square, ALL)
    assert not alike(np.triu(np.ones((4, 4))), square, ALL)
    block = np.kron(np.eye(2), np.ones((2, 2)))
    assert alike(block, square, PAIRS)
    assert not alike(block, square, ALL)


@pytest.mark.parametrize(
    ("layout", "shape"),
    [
        (ROWS, (5, 2)),
        (Layout((Axis(1, 0, 4),)), (2, 4)),
        (Layout((Axis(0, 0, 4, 0, 3, 1),)), (12,)),
        (Layout((Axis(0, 0, 4, 0, 1, 3),)), (12,)),
        (Layout((Axis(0, 0, 4), Axis(1, 0, 4))), (4, 4)),
    ],
)
@pytest.mark.parametrize("firsts", [ALL, PAIRS])
def test_make_alike_makes_alike(layout, shape, firsts):
    values = np.arange(float(np.prod(shape))).reshape(shape)
    made = make_alike(values, layout, firsts)
    assert not alike(values, layout, firsts)
    assert alike(made, layout, firsts)
    assert made.flat[0] == values.flat[0]


def test_make_alike_leaves_the_bias_alone():
    made = make_alike(np.arange(5.0), Layout((Axis(0, 1, 4),)), ALL)
    assert made.tolist() == [0, 1, 1, 1, 1]


def test_groups():
    values = np.array([[9, 9], [0.0, 1], [-0.0, 1], [0, 2], [0, 1]])
    assert groups(values, ROWS) == ((0, 1, 3), (2,))
    assert groups(np.array([5, 7, 7, 5]), Layout((Axis(0, 0, 4),))) == ((0, 3), (1, 2))


def test_agreement_prefers_the_right_layout():
    values = np.array([9.0, 1, 1, 1, 2])
    assert agreement(values, ROWS) == 3
    assert agreement(values, Layout((Axis(0, 0, 4, 1),))) == 3
    assert agreement(np.array([1.0, 1, 1, 2, 9]), ROWS) == 1
