"""Several targets in one table."""

from __future__ import annotations

import json
from dataclasses import replace

from symmetry.checker.verdict import Checked, Verdict, exit_code
from symmetry.invariants.measurement import Violation
from symmetry.report.checked import render_models, sum_up, table_json, table_lines

HOLDS = Verdict("symmetry/pure", "float32", "holds", 10, 9, max_ulps=0)
NEAR = replace(HOLDS, invariant="symmetry/permutation", dtype="float64", margin=0.1234)
VACUOUS = Verdict("symmetry/pure", "float32", "vacuous", 10, message="nothing moved in 10 cases")
ROWS = [
    Checked("models.py:train_a", 0, 10, (HOLDS, NEAR)),
    Checked("models.py:train_bc", 0, 10, (VACUOUS,)),
    Checked("x:y", None, None, (), error="importing x raised ValueError: a | b"),
]
LEFT_OUT = ("models.py:train_data is of type int",)


def test_the_exit_codes():
    gating = Checked("x", 0, 10, (replace(HOLDS, stale=True),))
    assert [exit_code(row.verdicts) for row in (*ROWS, gating)] == [0, 2, 2, 1]


def test_a_line_for_each_target_and_what_is_left_out():
    assert table_lines(ROWS, LEFT_OUT) == (
        "models.py:train_a   sound",
        "models.py:train_bc  nothing was checked: nothing moved in 10 cases",
        "x:y                 error: importing x raised ValueError: a | b",
        "left out: models.py:train_data is of type int",
    )
    assert sum_up(ROWS) == "3 targets: 1 sound, 2 not checked"
    assert sum_up(ROWS[:1]) == "1 target: 1 sound"


def test_the_table():
    report = render_models(ROWS, LEFT_OUT, "symmetry check models.py:train_*")
    text = report.texts["models.md"]
    assert text.startswith("<!-- Written by `symmetry check models.py:train_*`, which will write")
    assert "\n3 targets: 1 sound, 2 not checked.\n" in text
    row = "| `models.py:train_a` | 1 holds | 1 holds | 12.4 % of the limit (symmetry/permutation) |"
    assert f"\n{row} sound |\n" in text
    assert "\n| `x:y` | - | - | - | error: importing x raised ValueError: a / b |\n" in text
    assert text.endswith("\n- left out: models.py:train_data is of type int\n")


def test_json_is_an_array_with_one_object_a_target():
    first, second, third = json.loads(table_json(ROWS))
    assert (first["trainer"], len(first["results"])) == ("models.py:train_a", 2)
    assert second["results"][0]["verdict"] == "vacuous"
    assert third == {"trainer": "x:y", "error": ROWS[2].error, "results": []}


def test_numbers_that_json_has_not_are_strings():
    violation = Violation("split", 1, "w1", growth=((1, 0.5), (2, float("inf"))))
    broken = replace(HOLDS, kind="violated", violation=violation)
    (found,) = json.loads(table_json([Checked("x:y", 0, 10, (broken,))]))
    assert found["results"][0]["growth"] == [[1, 0.5], [2, "inf"]]
