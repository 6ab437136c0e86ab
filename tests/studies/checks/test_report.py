"""The report of costs, of made-up rows, and the costs of a small command."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.studies.checks.costs import costs_of
from tests.studies.checks.others import CASES, LIBRARIES, libraries_for
from tests.studies.checks.report import FIGURE, MARKDOWN, SCRIPTS, parts_of, render

COSTS = {"cpu_seconds": 2.04, "seconds": 3.0, "memory": 300_000_000, "load": 0.5}
CHECK = {
    **COSTS,
    "runs": 52,
    "forks": 3,
    "judged": 17,
    "parts": {"imports": 1.0, "first steps": 2.0, "finding units": 4.0, "loss/weights": 8.0},
}
ROW = {"target": "readme", "code": "abc", "processor": "znver4", "alone": COSTS, "check": CHECK}


def test_each_script_is_there_and_only_those() -> None:
    files = (Path(__file__).parent / "scripts").glob("*.py")
    assert {file.stem for file in files} == {*SCRIPTS}
    assert CASES.keys() < SCRIPTS.keys()
    assert libraries_for("gpt") == [*LIBRARIES]
    assert libraries_for("gan") == []


def test_a_row_has_the_costs_of_the_script_and_of_its_check() -> None:
    audited = {**COSTS, "cpu_seconds": 5.0, "ended": "20 updates audited"}
    late = {**COSTS, "failed": -9}
    row = {**ROW, "torch_audit": audited, "torchtest2": late}
    text = render({"readme": row, "vae": {**ROW, "target": "vae"}}).texts[MARKDOWN]
    assert "| README's script | 2.0 | 2.0 | 3 | 52 | 3 | 300 | 17 |" in text
    assert "| README's script | not within 100 | 5.0 | - | 2.0 |" in text
    assert "- `torch_audit`, README's script: `20 updates audited`" in text
    assert "| VAE | 2.0 | 2.0 |" in text
    assert "Nothing else ran meanwhile (a load of at most 0.5)." in " ".join(text.split())
    assert "| VAE | - |" not in text
    assert [*LIBRARIES] == ["torchtest2", "torch_audit", "neural_net_checklist"]


def test_the_page_says_that_other_work_ran_meanwhile() -> None:
    row = {**ROW, "check": {**CHECK, "load": 9.0}}
    text = " ".join(render({"readme": row}).texts[MARKDOWN].split())
    assert "Other work used the same two cores meanwhile (a load from 0.5 to 9.0)" in text


def test_the_picture_shows_all_parts_of_a_check() -> None:
    assert parts_of(ROW) == [3.0, 4.0, 8.0]
    (figure,) = render({"readme": ROW}).figures
    assert figure.name == FIGURE
    assert figure.png().startswith(b"\x89PNG")


@pytest.mark.filterwarnings("ignore:os.fork")  # of JAX, which other tests import
def test_the_costs_of_a_command_are_its_own() -> None:
    code = "x = bytearray(50_000_000)\nfor _ in range(3_000_000): pass\nprint('{\"runs\": 3}')"
    costs = costs_of([sys.executable, "-c", code])
    assert costs["runs"] == 3
    assert costs["cpu_seconds"] > 0
    assert costs["memory"] > 50_000_000
    assert costs_of([sys.executable, "-c", "raise SystemExit(3)"])["failed"] == 3
