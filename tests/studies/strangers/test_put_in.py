"""Bugs that are put into strangers' scripts: how they are put in, and how an answer is counted."""

from __future__ import annotations

from pathlib import Path

import pytest

import symmetry
from symmetry.cli.campaign.several import read_lines
from tests.studies.strangers import bugs_report
from tests.studies.strangers.put_in import FAMILIES, OUTCOMES, bugs, outcome
from tests.studies.strangers.recipes import RECIPES

REPORTS = Path(symmetry.__file__).parents[1] / "reports"
LINES = read_lines(REPORTS / bugs_report.LINES)
SOUND = {"exit": 0, "notes": ["loop/order"], "violations": []}


def test_the_page_is_that_of_its_lines():
    page = bugs_report.render(LINES).texts[bugs_report.MARKDOWN]
    assert page == (REPORTS / bugs_report.MARKDOWN).read_text("utf-8")


def test_each_line_is_of_a_bug_that_is_written_down():
    assert {*LINES} <= {bug.target for bug in bugs()}
    assert {line.get("came", "silent") for line in LINES.values()} <= {*OUTCOMES}


def test_four_bugs_are_put_into_each_script():
    recipes = [bug.recipe for bug in bugs()]
    assert {*recipes} <= {each.name for each in RECIPES}
    assert all(recipes.count(name) == 4 for name in recipes)
    assert len({bug.target for bug in bugs()}) == len(recipes)
    assert {bug.family for bug in bugs()} == {*FAMILIES}
    assert all(bug.old != bug.new for bug in bugs())


def test_a_bug_is_one_more_change_of_its_recipe():
    bug = next(each for each in bugs() if each.recipe == "fm")
    changed = bug.put_in()
    *others, change = changed.changes
    [plain] = [each for each in RECIPES if each.name == "fm"]
    assert (*others,) == plain.changes
    assert (change.file, change.old, change.new) == (bug.file, bug.old, bug.new)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ({"exit": 1, "notes": [], "violations": ["loop/modes a.py:3"]}, "caught"),
        ({"exit": 1, "notes": [], "violations": []}, "caught"),  # it fails by itself
        ({"exit": 0, "notes": ["loop/order", "loss/scaling"]}, "told"),
        ({"exit": 0, "notes": ["loop/order"]}, "silent"),
        ({"exit": 0, "notes": []}, "silent"),
        ({"exit": 2, "notes": ["loss/scaling"]}, "not checked"),
        ({"error": "no answer within 1200 s"}, "not checked"),
    ],
)
def test_an_answer_is_held_against_the_one_without_the_bug(line, expected):
    assert outcome(line, SOUND) == expected


def test_what_is_wrong_without_the_bug_is_not_the_bug():
    without = {"exit": 1, "notes": [], "text": ["found by  loop/evaluation"]}
    assert outcome({"exit": 1, "notes": [], "violations": []}, without) == "silent"
    line = {"exit": 1, "notes": [], "violations": ["loop/evaluation a.py:3"]}
    assert outcome(line, without) == "silent"
    line["violations"].append("loss/padding a.py:9")
    assert outcome(line, without) == "caught"
