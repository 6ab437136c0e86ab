from __future__ import annotations

from pathlib import Path

import pytest

from symmetry import SymmetryError, check
from symmetry.checker import accepted, renamed
from symmetry.checker.options import Options
from symmetry.session import plan_check
from symmetry.targets.kinds import invariants
from tests.cli.inside import symmetry

EVER = Path(__file__).with_name("names.txt").read_text().split()
NOW = {name for each in invariants() for name in (each.name, *(k.name for k in each.notes))}


def test_each_name_that_ever_was_is_one_of_now_or_renamed_or_gone():
    assert sorted(EVER) == EVER
    assert {*EVER} == NOW | renamed.RENAMED.keys() | renamed.GONE


def test_no_old_name_is_used_again():
    assert NOW.isdisjoint(renamed.RENAMED)
    assert NOW.isdisjoint(renamed.GONE)
    assert renamed.GONE.isdisjoint(renamed.RENAMED)
    assert {*renamed.RENAMED.values()} <= NOW


@pytest.fixture
def old(monkeypatch):
    monkeypatch.setitem(renamed.RENAMED, "symmetry/old", "symmetry/pure")


def test_an_old_name_is_accepted_and_the_answer_has_the_new_one(old):
    report = check(
        "numpy",
        only=["symmetry/old", "symmetry/clones"],
        skip="symmetry/clones",
        require="symmetry/old",
        examples=2,
    )
    assert {verdict.invariant for verdict in report} == {"symmetry/pure"}
    line = "symmetry/old is called symmetry/pure now: a later release refuses the old name"
    assert report.facts.warnings == (line,)
    plan = plan_check("numpy", Options(expected_failures={"symmetry/old": "known"}))
    assert plan.expected == {"symmetry/pure": {"": "known"}}


def test_comments_and_baselines_may_have_an_old_name(old, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("steps.py").write_text(
        "from symmetry.network.core import step as core\n\n\n"
        "def step(x, y, w1, w2, lr):\n"
        "    return core(x, y, w1, w2, lr)  # symmetry: ignore[symmetry/old] wanted\n"
    )
    plan = plan_check("steps.py:step", Options())
    assert [each.names for each in plan.ignored] == [("symmetry/pure",)]
    assert len(plan.renamed) == 1
    Path("known.jsonl").write_text(
        '{"target": "numpy", "invariant": "symmetry/old", "reason": "known"}\n'
    )
    (entry,) = accepted.read_accepted(Path("known.jsonl"))
    assert entry.invariant == "symmetry/pure"


def test_its_meaning_is_that_of_the_new_name(old, tmp_path):
    asked, known = (
        symmetry("check", "--about", name, cwd=tmp_path)
        for name in ("symmetry/old", "symmetry/pure")
    )
    assert asked.out == known.out
    assert asked.status == 0


def test_without_the_line_an_old_name_is_refused():
    with pytest.raises(SymmetryError, match="no invariant matches 'symmetry/old'"):
        check("numpy", only="symmetry/old")
