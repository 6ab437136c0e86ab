"""Several targets in one table."""

from __future__ import annotations

import json
from dataclasses import replace

from symmetry.base.records import dump
from symmetry.checker.verdict import Checked, Verdict, exit_code
from symmetry.finding.coverage import Coverage, Unequal
from symmetry.law.measurement import Violation
from symmetry.observe.source_line import SourceLine
from symmetry.report.table import (
    by_suspicion,
    ended,
    in_short,
    line_of,
    render_models,
    sum_up,
    suspicion,
    table_json,
    table_lines,
    worst_code,
)
from tests.catalogues import named

HOLDS = Verdict(named("symmetry/pure"), "float32", "holds", 10, 9, max_ulps=0)
NEAR = replace(HOLDS, about=named("symmetry/permutation"), dtype="float64", margin=0.1234)
VACUOUS = Verdict(
    named("symmetry/pure"), "float32", "vacuous", 10, message="nothing moved in 10 cases"
)
WHY = "importing x raised ValueError: a | b"
ROWS = [
    line_of(Checked("models.py:train_a", 0, 10, (HOLDS, NEAR))),
    line_of(Checked("models.py:train_bc", 0, 10, (VACUOUS,))),
    {"trainer": "x:y", "error": WHY, "results": []},
]
BROKEN = replace(HOLDS, kind="violated", violation=Violation("split", 1, "w1"))
LATE = replace(VACUOUS, kind="not finished", message="not finished within 3 seconds (--timeout)")
LEFT_OUT = ("models.py:train_data is of type int",)


def test_the_exit_codes():
    gating = Checked("x", 0, 10, (replace(HOLDS, stale=True),))
    assert exit_code(gating.verdicts) == 1
    assert [worst_code([row]) for row in (*ROWS, line_of(gating))] == [0, 2, 2, 1]
    assert worst_code(ROWS) == 2
    assert worst_code([*ROWS, line_of(gating)]) == 1


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
    row = "| `models.py:train_a` | sound | 1 holds | 1 holds | 12.4 % of the limit"
    assert f"\n{row} (symmetry/permutation) | sound |\n" in text
    assert "\n| `x:y` | error | - | - | - | error: importing x raised ValueError: a / b |\n" in text
    assert text.endswith("\n- left out: models.py:train_data is of type int\n")


def test_json_is_an_array_with_one_object_a_target():
    first, _, third = json.loads(table_json(ROWS))
    assert (first["target"], first["judged"]) == (
        "models.py:train_a",
        ["symmetry/pure", "symmetry/permutation"],
    )
    assert (third["target"], third["conclusion"]) == ("x:y", WHY)


def test_numbers_that_json_has_not_are_strings():
    violation = Violation("split", 1, "w1", growth=((1, 0.5), (2, float("inf"))))
    broken = replace(HOLDS, kind="violated", violation=violation)
    found = json.loads(dump(line_of(Checked("x:y", 0, 10, (broken,)))))
    assert found["results"][0]["growth"] == [[1, 0.5], [2, "inf"]]


def test_the_most_suspicious_comes_first():
    without = {**ROWS[0], "trainer": "b", "without_units": [{"module": "l"}]}
    idle = {**ROWS[0], "trainer": "c", "without_gradient": ["l"]}
    some = {**ROWS[0], "trainer": "d"}
    some["table"] = {**some["table"], "notes": ["l units: only 3 of 4 are treated equally"]}
    broken = line_of(Checked("e", 0, 10, (BROKEN,)))
    late = line_of(Checked("f", 0, 10, (HOLDS, LATE)))
    lines = by_suspicion([ROWS[0], ROWS[1], some, idle, late, without, ROWS[2], broken])
    assert [suspicion(line) for line in lines] == [
        "violated",
        "error",
        "not finished",
        "layers without units",
        "modules without gradient",
        "only some units are equal",
        "vacuous",
        "sound",
    ]


def test_what_a_training_does_not_prove_is_suspicious():
    place = SourceLine("/where/train.py", 24)
    layer = Unequal("fc1", 16, 0, "constant", "aten.mul", place)
    scaled = Coverage("Net", (), (), (), without_units=(layer,), without_gradient=("pool",))
    idle = replace(scaled, without_units=())
    lines = [line_of(Checked("x", 0, None, (HOLDS,), coverage=c)) for c in (scaled, idle)]
    assert [*map(suspicion, lines)] == ["layers without units", "modules without gradient"]
    assert in_short(lines[0]) == "sound, but for 1 layer without equal units"


def test_a_limit_is_told_for_what_it_is():
    late = line_of(Checked("x", 0, 1, (HOLDS, LATE)))
    there = "not finished within 3 seconds (--timeout): 1 of 2 verdicts are there"
    assert in_short(late) == f"{there}, and nothing is violated so far"
    assert sum_up([late]) == "1 target: 0 sound, 1 not checked"
    broken = line_of(Checked("x", 0, 1, (BROKEN, LATE)))
    assert in_short(broken).startswith("1 invariant violated: look at ")
    assert in_short(broken).endswith(f"; {there}")


def test_how_a_check_ended():
    assert ended(line_of(Checked("x", 0, 1, (HOLDS, LATE)))) == "time"
    assert ended(ROWS[0]) == ended(ROWS[2]) == "whole"
    dead = {"error": "x: the target's process was killed (signal SIGSEGV)", "results": []}
    assert ended(dead) == "killed"


def test_the_page_can_be_read_and_sorted():
    page = render_models(ROWS, LEFT_OUT, "symmetry check <models>").texts["models.html"]
    assert "symmetry check &lt;models&gt;" in page
    assert page.count("<tr><td>") == 3
    assert 'data-order="1" class="error">error</td>' in page
