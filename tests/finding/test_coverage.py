"""What is said of a layer whose units are not all equal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from symmetry.finding.coverage import Coverage, Uncovered, Unequal, capacity
from symmetry.observe.source_line import SourceLine
from symmetry.units.units import Part, Units


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
    layer = Unequal("fc", 8, 0, cause, operation, SourceLine("/away/train.py", 24))
    assert layer.does == does
    assert layer.why == f"/away/train.py:24 {does}"


def test_where_no_line_is_known_it_says_what_is_done():
    layer = Unequal("fc", 8, 0, "place", "aten.select", SourceLine("", 0))
    assert layer.why == "takes them one by one (select)"


def test_a_group_lacks_units_unless_the_data_tell_them_apart():
    """Tokens that occur are no units, and nothing is wrong with the step."""
    tokens = Units("tokens", 19, (Part("model.wte.weight", 0),))
    hidden = Units("hidden", 14, (Part("model.fc.weight", 0), Part("model.out.weight", 1)))
    whole = Units("whole", 4, (Part("model.w", 0),))
    odd = Uncovered("model.fc.weight", 0, 2, "unlike the others")
    last = Uncovered("model.out.weight", 1, 2, "output")
    by_data = (Uncovered("model.wte.weight", 0, 11, "fixed by the data"), last)
    found = Coverage("Net", (tokens, hidden, whole), (30, 16, 4), (*by_data, odd))
    assert found.incomplete == [(hidden, 16)]
    assert not replace(found, uncovered=by_data).incomplete


def test_slices_in_no_other_group_are_free():
    shapes = {"w": (10, 3), "v": (8,)}
    units = Units("", 4, (Part("w", 0), Part("v", 0)))
    assert capacity(units, [units], shapes) == 8
    assert capacity(units, [units, Units("", 2, (Part("v", 0, 4),))], shapes) == 6
