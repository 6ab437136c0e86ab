"""How far the units differ in a result, in numbers and in words."""

from __future__ import annotations

import numpy as np
import pytest

from symmetry.explanation.operation.difference import Layout, difference, jump
from symmetry.explanation.search.location import Location
from tests.explanation.operation.captured import along, captured


@pytest.mark.parametrize(
    ("location", "control", "places"),
    [
        (along(0, 0, 1), None, {0: 0, 1: 1, 2: 2}),
        (along(0, 1, 3), None, {0: 1, 1: 3, 2: 5}),  # two rows for each unit, and one before
        (along(0, 4, 5), None, {0: 4, 1: 5}),  # unit 2 lies behind the end
        (along(0, 1, 0), along(0, 1, 2), {0: 1, 1: 0}),  # the control has the usual one, too
        (along(0, 1, 0), along(0, 0, 2), {0: 0, 1: 1, 2: 2}),
        (Location("entries", i=np.array([0]), j=np.array([1])), None, {}),
    ],
)
def test_clones_lie_as_far_apart_as_the_two(location, control, places):
    operation = captured(np.zeros((6, 2)), location, control=control)
    assert Layout(operation).places == places


def test_two_that_are_no_neighbours_may_leave_no_even_stride():
    operation = captured(np.zeros((6, 2)), along(0, 0, 3), exchanged=(0, 2))
    assert Layout(operation).places == {0: 0, 2: 3}


def test_the_entries_of_a_unit_are_its_row_or_column():
    entries = Layout(captured(np.zeros((2, 3)), along(1, 0, 1))).entries
    assert {unit: flat.tolist() for unit, flat in entries.items()} == {
        0: [0, 3],
        1: [1, 4],
        2: [2, 5],
    }
    lone = Location("entries", i=np.array([4]), j=np.array([5]))
    entries = Layout(captured(np.zeros((2, 3)), lone)).entries
    assert {unit: flat.tolist() for unit, flat in entries.items()} == {0: [4], 1: [5]}


def test_rows_that_are_not_the_usual_ones_are_named():
    result = np.array([[1.0, 2], [1, 3], [1, 2]])
    assert Layout(captured(result, along(0, 0, 1))).odd_rows() == "row 1"
    assert Layout(captured(result.T, along(1, 0, 1))).odd_rows() == "column 1"
    lone = Location("entries", i=np.array([0]), j=np.array([1]))
    assert Layout(captured(result, lone)).odd_rows() == ""


RESULT = np.array([[1, 1], [2, 1], [1, 1]], np.float32)


def test_units_are_grouped_by_their_entries_and_compared_with_the_usual_one():
    operation = captured(RESULT, along(0, 0, 1))
    found = difference(operation, Layout(operation), "a jump")
    assert found.groups == "unit 1 alone"
    assert found.ulps == 2**23  # floats between 1 and 2
    assert found.relative == pytest.approx(0.5)
    assert found.size == "a jump"


def test_an_exchange_without_groups_and_units_without_entries_have_no_numbers():
    operation = captured(RESULT, along(0, 0, 1), groups=())
    found = difference(operation, Layout(operation), "")
    assert (found.groups, found.ulps, found.relative) == ("units 0 and 1, exchanged", None, 0.0)
    operation = captured(np.float32(1), Location("alone"))
    assert difference(operation, Layout(operation), "").ulps is None


@pytest.mark.parametrize(
    ("deviation", "rounding", "words"),
    [
        (3.0, 1e-3, "a jump: 3e+03 times what rounding can do"),
        (3.0, 0.0, "a jump: rounding cannot move it"),
        (np.inf, 1.0, "a jump: rounding cannot move it"),
    ],
)
def test_a_jump_is_told_in_multiples_of_rounding(deviation, rounding, words):
    operation = captured(RESULT, along(0, 0, 1), deviation=deviation, rounding=rounding)
    assert jump(operation) == words
