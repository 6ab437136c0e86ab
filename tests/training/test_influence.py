"""What moves in traces that are written by hand, without any framework."""

from __future__ import annotations

import numpy as np

from symmetry.training.influence import other_numbers, spread
from symmetry.training.trace import Node, Trace


class Written:
    """A trace of operations of NumPy."""

    def __init__(self) -> None:
        self.trace = Trace()

    def value(self, array) -> int:
        self.trace.arrays.append(np.asarray(array))
        return len(self.trace.arrays) - 1

    def does(self, name, function, *inputs):
        trace = self.trace

        def perform(arrays):
            return [function(*[arrays.get(x, trace.arrays[i]) for x, i in enumerate(inputs)])]

        output = self.value(function(*(trace.arrays[i] for i in inputs)))
        trace.add(Node(tuple(inputs), (output,), frozenset(), perform, name))
        return output


def softmax(array, axis):
    exps = np.exp(array - array.max(axis, keepdims=True))
    return exps / exps.sum(axis, keepdims=True)


def classifier(axis):
    written = Written()
    x = written.value(np.random.default_rng(0).normal(size=(6, 4)))
    w = written.value(np.random.default_rng(1).normal(size=(4, 3)))
    h = written.does("mm", np.matmul, x, w)
    return written, x, h, written.does("softmax", lambda a: softmax(a, axis), h)


def rows(written, moved, value):
    return {*np.flatnonzero((moved.arrays[value] != written.trace.arrays[value]).any(1)).tolist()}


def another_row(written, value, row=2):
    array = written.trace.arrays[value].copy()
    array[row] += 1.0
    return {value: array}


def test_a_row_moves_its_own_row_and_the_softmax_over_rows_moves_all():
    for axis, expected in ((1, {2}), (0, {0, 1, 2, 3, 4, 5})):
        written, x, h, p = classifier(axis)
        moved = spread(written.trace, another_row(written, x))
        assert rows(written, moved, h) == {2}
        assert rows(written, moved, p) == expected
        assert written.trace.nodes[moved.first[p]].operation == "softmax"


def test_what_does_not_depend_on_it_stays():
    written, x, h, p = classifier(1)
    other = written.does("exp", np.exp, x)
    moved = spread(written.trace, another_row(written, h))
    assert p in moved
    assert other not in moved
    assert moved.any_of({other}) is False
    assert moved.any_of({other, p}) is True


def test_nothing_is_known_behind_an_operation_that_takes_no_other_numbers():
    written, x, _, p = classifier(1)

    def raising(array):
        if len(written.trace.arrays) > known:
            raise ValueError
        return array * 2

    known = len(written.trace.arrays)
    q = written.does("once", raising, p)
    r = written.does("log", np.log, q)
    moved = spread(written.trace, another_row(written, x))
    assert p in moved
    assert {written.trace.nodes[moved.unknown[v]].operation for v in (q, r)} == {"once"}
    assert moved.any_of({r}) is None


def test_a_value_of_another_shape_is_unknown():
    written = Written()
    mask = written.value(np.array([True, True, False]))
    kept = written.does("index", lambda m: np.arange(3.0)[m], mask)
    assert kept in spread(written.trace, {mask: np.array([True, True, True])}).unknown


def test_a_change_goes_only_through_what_may_carry_it():
    written, x, h, p = classifier(1)
    moved = spread(written.trace, another_row(written, x), through=lambda value: value != h)
    assert h not in moved
    assert p not in moved


def test_it_ends_where_enough_has_moved():
    written, x, h, p = classifier(1)
    assert p not in spread(written.trace, another_row(written, x), until=(h,))


def test_a_coefficient_of_zero_carries_nothing():
    written, x, h, _ = classifier(1)
    nothing = written.does("mul", lambda a: 0.0 * a, h)
    assert nothing not in spread(written.trace, another_row(written, x))


def test_other_numbers_are_of_the_same_kind():
    arrays = (np.ones((2, 3), "float32"), np.array([True, False]), np.arange(4), np.zeros(3))
    for array in (*arrays, np.array(2, "float32")):
        other = other_numbers(array)
        assert isinstance(other, np.ndarray)
        assert other.dtype == array.dtype
        assert other.shape == array.shape
        assert (other != array).any()
