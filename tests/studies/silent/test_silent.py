"""The committed report is what its rows say; pairs are whole, and a cell can be measured again."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from tests.studies.silent import __main__ as command
from tests.studies.silent.cell import measure
from tests.studies.silent.pairs import PAIRS
from tests.studies.silent.readings import ELSEWHERE
from tests.studies.silent.report import LINES, accuses_twin, misses, outcome, read, render
from tests.studies.silent.tools import TOOLS, Findings, NotApplicable, Scripts, Tool

REPORTS = Path("reports")
NAMED = {pair.name: pair for pair in PAIRS}
TOOL = {tool.name: tool for tool in TOOLS}


def test_the_report_is_what_its_rows_say():
    rows = read(REPORTS / LINES)
    assert len(rows) > 80
    assert render(rows).differences(REPORTS) == ()


def test_each_row_is_of_a_pair_and_a_tool_that_are_there():
    keys = [(row["pair"], row["tool"]) for row in read(REPORTS / LINES) if "set" not in row]
    assert len({*keys}) == len(keys)
    assert {pair for pair, _ in keys} <= {*NAMED}
    assert {tool for _, tool in keys} <= {*TOOL}
    assert {*ELSEWHERE} <= {*keys}


def test_what_symmetry_does_not_catch_has_a_reason():
    assert misses(PAIRS, read(REPORTS / LINES)) == []


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_a_mend_makes_another_script_and_its_expressions_can_be_read(pair):
    assert ast.dump(ast.parse(pair.twin)) != ast.dump(ast.parse(pair.broken))
    for of_twin in (False, True):
        batch = pair.expressions(of_twin=of_twin)
        for text in vars(batch).values() if batch else ():
            if text:
                ast.parse(text, mode="eval")


def test_each_pair_is_there_once():
    assert len(NAMED) == len(PAIRS) >= 40


def a_row(broken: dict[str, Any], twin: dict[str, Any] | None = None) -> dict[str, Any]:
    none = {"accused": [], "told": []}
    return {
        "pair": "a",
        "tool": "b",
        "broken": {**none, **broken},
        "twin": {**none, **(twin or {})},
    }


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (a_row({"accused": ["x"]}), "caught"),
        (a_row({"accused": ["x"], "told": ["y"]}, {"accused": ["x"]}), "told"),
        (a_row({"accused": ["x"]}, {"accused": ["x"]}), "silent"),
        (a_row({"why": "no batch"}), "not applicable"),
        (a_row({"accused": ["x"]}, {"error": "it raised"}), "failed"),
        (None, "not run"),
    ],
)
def test_only_a_finding_that_the_twin_has_not_counts(row, expected):
    assert outcome(row) == expected
    assert accuses_twin(row) == bool(row and row["twin"]["accused"])


def pretended(scripts: Scripts, script: Path) -> Findings:
    if scripts.pair.name == "house_prices":
        raise NotApplicable("no classes")
    return Findings(["softmax"] * ("self.softmax(self" in script.read_text()))


def test_a_cell_holds_the_findings_on_both_scripts(tmp_path, capsys):
    tool = Tool("pretended", "pytest", pretended, "0")
    row = measure(NAMED["softmax_in_the_model"], tool)
    assert (row["broken"]["accused"], row["twin"]["accused"]) == (["softmax"], [])
    assert outcome(row) == "caught"
    assert outcome(measure(NAMED["house_prices"], tool)) == "not applicable"
    command._measure(tool, ["house_prices"], tmp_path / LINES)
    command._measure(tool, ["house_prices", "require_grad"], tmp_path / LINES)
    assert [row["pair"] for row in read(tmp_path / LINES)] == ["house_prices", "require_grad"]
    command._measure(Tool("other", "no-such-library", pretended, "0"), None, tmp_path / LINES)
    assert "other: not installed here (pip install no-such-library)" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "expected"), [("gates_over_the_batch", "caught")])
def test_a_cell_of_symmetry_can_be_measured_again(name, expected):
    assert outcome(measure(NAMED[name], TOOL["symmetry"])) == expected
