"""The units of a model: for people, for programs, for notebooks."""

from __future__ import annotations

import json
from dataclasses import replace

from symmetry.finding.coverage import Coverage, Uncovered, Unequal
from symmetry.observe.source_line import SourceLine
from symmetry.report.units import lines, to_html, to_json, without_units
from symmetry.units.units import Part, Units
from symmetry.units.words import in_short

UNITS = Units("0 units", 4, (Part("model.0.weight", 0), Part("model.2.weight", 1)))
HEADS = Units("attn heads", 3, (Part("model.attn.weight", 0, stride=2, block=2),))
PLACE = SourceLine("/away/train.py", 24)
FOUND = Coverage(
    "Net",
    (UNITS, HEADS),
    (4, 5),
    (Uncovered("model.0.weight", 1, 7, "input"),),
    random=("dropout (train.py:3)",),
    no_gradient={"0 units": (1, 2)},
)


def layer(module, units=8, equal=0):
    return Unequal(module, units, equal, "constant", "aten.mul", PLACE)


def test_groups_and_the_rest_in_lines():
    assert lines(FOUND) == [
        "Net: 2 groups of equal units",
        "          4  0 units (2 of them without gradient)",
        "     3 of 5  attn heads",
        "in no group",
        "          7  model.0.weight axis 1: input",
        "random operations, replaced by their means",
        "             dropout (train.py:3)",
    ]
    alone = Coverage("Net", (UNITS,), (4,), ())
    assert lines(alone) == ["Net: 1 group of equal units", "          4  0 units"]


def test_layers_of_one_cause_share_a_line():
    why = "/away/train.py:24 multiplies each by a number of its own"
    assert without_units([layer("a"), layer("2.1"), layer("b", 9), layer("", 5, 3)]) == [
        f"a, layer 2.1: 8 units each, none equal: {why}",
        f"b: 9 units, none equal: {why}",
        f"the model: 5 units, only 3 equal: {why}",
    ]
    assert in_short([*"abcde"]) == "a, b, c and 2 more"
    text = lines(replace(FOUND, without_units=(layer("a"),), without_gradient=("unused",)))
    assert f"             a: 8 units, none equal: {why}" in text
    assert text[text.index("modules without gradient") + 1] == "             unused"


def test_json_has_all_of_it():
    found = json.loads(to_json(replace(FOUND, without_units=(layer("a"),))))
    first, second = found["groups"]
    assert (first["name"], first["units"], first["of"], first["no_gradient"]) == (
        *("0 units", 4, 4),
        [1, 2],
    )
    assert second["parts"] == [
        {
            "array": "model.attn.weight",
            "axis": 0,
            "first": 0,
            "stride": 2,
            "block": 2,
            "indices": None,
            "where": [],
        }
    ]
    assert found["uncovered"] == [{"array": "model.0.weight", "axis": 1, "size": 7, "why": "input"}]
    assert [(each["module"], each["line"]) for each in found["without_units"]] == [("a", 24)]


def test_a_notebook_shows_the_lines():
    shown = to_html(replace(FOUND, model="<Net>"))
    assert shown.startswith("<pre>&lt;Net&gt;: 2 groups")
