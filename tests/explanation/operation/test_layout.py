"""Where the clones lie in a result, by the places of two of them."""

from __future__ import annotations

import numpy as np
import pytest

from symmetry.explanation.operation.layout import Layout
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
