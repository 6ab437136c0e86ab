"""What is said of a layer whose units are not all equal."""

from __future__ import annotations

import pytest

from symmetry.finding.coverage import Unequal
from symmetry.observe.place import Place


@pytest.mark.parametrize(
    ("cause", "operation", "does"),
    [
        ("constant", "aten.mul_", "multiplies each by a number of its own"),
        ("constant", "aten.add", "adds a number of its own to each"),
        ("constant", "aten.div", "has a number of its own for each (div)"),
        ("reshape", "aten.view", "ties entries of different units (view)"),
        ("place", "aten.select", "takes them one by one (select)"),
    ],
)
def test_the_line_and_what_it_does(cause, operation, does):
    layer = Unequal("fc", 8, 0, cause, operation, Place("/away/train.py", 24))
    assert layer.does == does
    assert layer.why == f"/away/train.py:24 {does}"


def test_where_no_line_is_known_it_says_what_is_done():
    layer = Unequal("fc", 8, 0, "place", "aten.select", Place("", 0))
    assert layer.why == "takes them one by one (select)"
