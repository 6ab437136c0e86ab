"""How far the units differ in a result, in numbers and in words."""

from __future__ import annotations

import numpy as np
import pytest

from symmetry.explanation.operation.difference import difference, jump
from symmetry.explanation.operation.layout import Layout
from symmetry.explanation.search.location import Location
from tests.explanation.operation.captured import along, captured

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
