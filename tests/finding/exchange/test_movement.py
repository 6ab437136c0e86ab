"""Operations that only move elements, told from those that compute."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from symmetry.finding.exchange.movement import find_movement
from tests.finding.traces import Steps, normal

ROWS = ((0, ((0, 1),), ()),)
COLUMNS = ((1, ((0, 1),), ()),)


def movement(function, *arrays):
    """Return the movement of one operation on leaves."""
    steps = Steps(**{f"w{n}": array for n, array in enumerate(arrays)})
    steps.apply(function, *steps.trace.leaves.values())
    return find_movement(steps.trace, 0)


def test_views_move_elements_and_others_compute():
    w = normal(3, 4)
    assert (
        movement(np.transpose, w).outputs[0].tolist()
        == (np.arange(12).reshape(3, 4).T + 1).tolist()
    )
    assert movement(lambda a: a.reshape(2, 6), w)
    assert movement(np.tanh, w) is None
    assert movement(lambda a: 2 * a, w) is None
    assert movement(np.add, w, w) is None


def test_a_function_that_moves_numbers_but_not_these_computes():
    assert movement(np.abs, normal(3, 4)) is None  # the elements' numbers are positive
    assert movement(np.abs, normal(3, 4) ** 2)


def test_elements_are_numbered_through_all_inputs_and_zeros_are_none():
    one = movement(lambda a, b: np.concatenate([a, b, np.zeros(1)]), normal(2), normal(3))
    assert one.outputs[0].tolist() == [1, 2, 3, 4, 5, 0]
    assert one.count == 6


def test_actions_go_forward_and_backward():
    one = movement(np.transpose, normal(3, 4))
    assert one.forward([ROWS]) == [COLUMNS]
    assert one.backward(0, COLUMNS, [()]) == {0: ROWS}


def test_equal_elements_keep_their_numbers():
    one = movement(np.transpose, np.zeros((3, 4)))
    assert one.forward([ROWS]) == [COLUMNS]


def test_slices_that_are_torn_apart_have_no_action():
    one = movement(lambda a: a.reshape(6, 2), normal(3, 4))
    assert one.forward([COLUMNS]) == [((1, ((0, 1),), ((0, (0, 2, 4)),)),)]
    assert one.forward([((1, ((0, 2),), ()),)]) == [((0, ((0, 1), (2, 3), (4, 5)), ((1, (0,)),)),)]
    assert one.backward(0, ((0, ((0, 2),), ()),), [()]) == {0: ((0, ((0, 1),), ((1, (0, 1)),)),)}
    assert one.backward(0, ((0, ((1, 2),), ()),), [()]) is None


def test_an_element_that_is_shown_twice_cannot_be_moved_once():
    one = movement(lambda a: np.concatenate([a, a]), normal(3))
    assert one.backward(0, ((0, ((0, 1),), ()),), [()]) is None
    assert one.backward(0, ((0, ((0, 1), (3, 4)), ()),), [()]) == {0: ((0, ((0, 1),), ()),)}


def test_no_numbers_are_given_to_an_operation_that_does_not_check_its_indices():
    steps = Steps(w=normal(2, 3))
    steps.apply(np.transpose, steps.w)
    assert find_movement(steps.trace, 0)
    steps.trace.nodes[0] = replace(steps.trace.nodes[0], checked=False)
    assert find_movement(steps.trace, 0) is None
