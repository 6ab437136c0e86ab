"""Bugs of strangers' scripts and their fixes: what they change, and the page of their answers."""

from __future__ import annotations

from pathlib import Path

import symmetry
from symmetry.cli.campaign.several import read_lines
from symmetry.invariants.catalogue import CATALOGUE
from tests.studies.strangers.bugs_report import without
from tests.studies.strangers.fixes import fixes, found, is_found
from tests.studies.strangers.fixes_report import LINES, MARKDOWN, render

REPORTS = Path(symmetry.__file__).parents[1] / "reports"
KNOWN = {each.name for each in CATALOGUE} | {k.name for each in CATALOGUE for k in each.notes}


def test_each_fix_mends_what_was_found() -> None:
    lines = read_lines(REPORTS / LINES)
    assert {*lines} == {fix.recipe for fix in fixes()}
    for fix in fixes():
        assert fix.check in KNOWN
        assert is_found(fix, without(fix.recipe))
        assert not is_found(fix, lines[fix.recipe])
        assert {*found(lines[fix.recipe])} <= {*found(without(fix.recipe))}  # and nothing came
        assert lines[fix.recipe]["exit"] == 0


def test_the_page_is_that_of_its_lines() -> None:
    page = render(read_lines(REPORTS / LINES)).texts[MARKDOWN]
    assert page == (REPORTS / MARKDOWN).read_text("utf-8")


def test_a_fix_is_one_more_change_of_its_recipe() -> None:
    for fix in fixes():
        assert fix.put_in().changes == (*fix.script.changes, *fix.changes)
        lines = fix.diff().splitlines()
        assert all(line.startswith(("-", "+", " ")) for line in lines)
        assert any(line[0] != " " for line in lines[1:])
