"""Each row of a report has its commit, and each page says how old its rows are."""

from __future__ import annotations

import json
import re

import pytest

from tests.studies.ages import AGELESS, PAGES, RECORD, REPORTS, UNKNOWN, aged, commit_of


@pytest.mark.parametrize("file", sorted(REPORTS.glob("*.jsonl")), ids=lambda file: file.name)
def test_each_row_says_at_which_commit_it_was_made(file):
    lines = file.read_text("utf-8").splitlines()
    odd = {commit_of(json.loads(line)) for line in lines} - {UNKNOWN}
    assert [each for each in odd if not re.fullmatch("[0-9a-f]{7,8}", each)] == []
    assert file.name in {page.lines for page in PAGES.values()}


def test_each_report_has_an_age_or_a_reason_for_none():
    named = {file.name for file in REPORTS.glob("*.md")}
    assert named == {*PAGES, *AGELESS}
    whole = {file.stem for file in REPORTS.glob("*.json")} - {RECORD.stem}
    assert {f"{name}.md" for name in whole} <= {*PAGES, *AGELESS}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_how_old_it_is_and_which_checks_came_later(page):
    """``python -m tests.studies.ages --write`` mends it."""
    text = (REPORTS / page).read_text("utf-8")
    assert aged(page, text) == text
    assert "\n\nMade at " in text
