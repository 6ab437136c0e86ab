"""The effect of single operations on exchanges."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from symmetry.finding.exchange.operations import Operations
from tests.finding.traces import Steps, normal

ROWS = ((0, ((0, 1),), ()),)
COLUMNS = ((1, ((0, 1),), ()),)


def operations(function, *arrays, data=()):
    """Return the operations of a trace of one node that takes leaves, and then data."""
    steps = Steps(**{f"w{n}": array for n, array in enumerate(arrays)})
    values = [*steps.trace.leaves.values(), *map(steps.data, data)]
    return Operations(steps.end(steps.apply(function, *values)))


def test_a_matrix_product_passes_outer_axes_on_and_sums_over_the_inner_one():
    product = operations(np.matmul, normal(3, 4), normal(4, 5))
    assert product.forward(0, (ROWS, ())) == [ROWS]
    assert product.forward(0, ((), COLUMNS)) == [COLUMNS]
    assert product.forward(0, (COLUMNS, ())) is None
    assert product.forward(0, (COLUMNS, ROWS)) == [()]


def test_axes_are_tied_if_slices_stay_by_themselves():
    product = operations(np.matmul, normal(3, 4), normal(4, 5))
    assert product.ties(0, 3) == [((0, 0), (-1, 0))]
    assert product.ties(0, 4) == []
    assert product.ties(0, 5) == [((1, 1), (-1, 1))]
    assert product.tied_axes(0, 0, 0) == {0: 0, -1: 0}
    assert operations(np.add, normal(2, 3), normal(3)).tied_axes(0, 0, 1) == {0: 1, 1: 0, -1: 1}


def test_data_are_not_tied():
    assert operations(np.add, normal(3), data=[normal(3, seed=1)]).tied_axes(0, 0, 0) == {
        0: 0,
        -1: 0,
    }


def test_a_view_makes_new_axes():
    view = operations(lambda a: a.reshape(5, 2, 3), normal(5, 6))
    assert [view.is_new_axis(0, 0, axis) for axis in range(3)] == [False, True, True]


def test_an_output_has_an_action_or_not():
    total = operations(np.add, normal(2, 3), normal(2, 3, seed=1))
    assert total.yields(0, 0, COLUMNS, (COLUMNS, COLUMNS))
    assert not total.yields(0, 0, COLUMNS, (COLUMNS, ()))
    assert not total.yields(0, 0, ROWS, (COLUMNS, COLUMNS))


def test_actions_are_pulled_back_through_movements_alone():
    assert operations(np.transpose, normal(3, 4)).backward(0, 0, ROWS, ((),)) == {0: COLUMNS}
    assert operations(np.tanh, normal(3, 4)).backward(0, 0, ROWS, ((),)) is None


def test_positions_at_which_an_output_changes():
    scaled = operations(np.multiply, normal(3, 4), normal(4))
    assert scaled.changed_positions(0, ((), ROWS)) == [(4, (0, 1))]
    assert scaled.changed_positions(0, ((), ())) == []


def test_an_output_without_use_needs_no_action():
    steps = Steps(w=normal(3, 4), v=normal(4, 5))
    steps.apply(np.matmul, steps.w, steps.v)
    trace = steps.end(steps.apply(np.sum, steps.w))
    assert Operations(trace).forward(0, (COLUMNS, ())) == [()]


def test_the_effects_of_unchanged_nodes_are_known_from_another_trace():
    performed = []

    def product(a, b):
        performed.append("product")
        return a @ b

    steps = Steps(w=normal(3, 4), v=normal(4, 5))
    hidden = steps.apply(product, steps.w, steps.v)
    trace = steps.end(steps.apply(np.tanh, hidden))
    known = Operations(trace)
    assert known.forward(0, (ROWS, ())) == [ROWS]
    assert known.forward(1, (ROWS,)) == [ROWS]
    flat = replace(trace.nodes[1], perform=lambda arrays: [np.zeros((3, 5))])
    other = Operations(replace(trace, nodes=[trace.nodes[0], flat]), like=known)
    performed.clear()
    assert other.forward(0, (ROWS, ())) == [ROWS]
    assert not performed
    assert other.forward(1, (ROWS,)) is None


def counted(function):
    """Return a function, and the numbers of rows of its first argument in each call."""
    rows = []

    def performed(*arrays):
        rows.append(len(arrays[0]))
        return function(*arrays)

    return performed, rows


def test_one_row_of_a_large_output_shows_that_it_is_not_exchanged():
    product, rows = counted(np.matmul)
    large = operations(product, normal(8, 4), normal(4, 4000))
    assert large.row(0).inputs == (0,)
    large.movement(0)
    rows.clear()
    assert large.forward(0, (COLUMNS, ())) is None
    assert large.forward(0, ((), ROWS)) is None
    assert rows == [1, 1]
    assert large.forward(0, (COLUMNS, ROWS)) == [()]
    assert large.forward(0, ((), COLUMNS)) == [COLUMNS]
    assert rows == [1, 1, 1, 8, 1, 8]


def test_all_rows_refute_an_exchange_that_holds_in_one():
    x, mask = normal(8, 4000), np.ones((8, 4000))
    x[5] *= 9
    assert operations(np.multiply, x, data=[mask]).forward(0, (COLUMNS, ())) == [COLUMNS]
    mask[3, 0] = 2.0
    product = operations(np.multiply, x, data=[mask])
    assert product.row(0).number == 5
    assert product.forward(0, (COLUMNS, ())) is None


def test_rows_that_depend_on_each_other_stay_together():
    assert operations(lambda a: a - a.mean(axis=0), normal(8, 4000)).row(0) is None


def test_rows_are_exchanged_all_at_once():
    large = operations(np.tanh, normal(8, 4000))
    for i in range(7):
        turned = ((0, ((i, i + 1),), ()),)
        assert large.forward(0, (turned,)) == [turned]


@pytest.mark.parametrize("place", range(8))
def test_an_exchange_in_some_rows_alone_has_its_action(place):
    large = operations(np.tanh, normal(8, 4000))
    limited = ((1, ((0, 1),), ((0, (place,)),)),)
    assert large.forward(0, (limited,)) == [limited]
