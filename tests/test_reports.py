"""Reports are short, stand in their list, and say at which commit their rows were made."""

from __future__ import annotations

import re

import pytest

from tests.studies.rows import REPORTS, read_rows

PAGES = sorted({file.name for file in REPORTS.glob("*.md")} - {"README.md"})
ROWS = sorted(REPORTS.glob("*.jsonl.gz"))
MOST_TEXT, MOST_ROWS = 150_000, 100_000  # bytes of all pages, and of the rows of a study


@pytest.mark.parametrize("file", ROWS, ids=lambda file: file.name)
def test_each_row_says_at_which_commit_it_was_made(file):
    commits = {row.get("commit") or row["code"] for row in read_rows(file)}
    assert [each for each in commits if not re.fullmatch("[0-9a-f]{7,8}|unknown", each)] == []
    assert file.stat().st_size <= MOST_ROWS


@pytest.mark.parametrize("page", PAGES)
def test_each_page_is_listed_and_says_its_commit(page):
    assert f"({page})" in (REPORTS / "README.md").read_text("utf-8")
    # Each commit has to write the same bytes of that one, which CI looks at.
    assert page == "mnist.md" or "\n\nMade at " in (REPORTS / page).read_text("utf-8")


def test_the_pages_are_short_and_their_rows_compressed():
    assert sum(file.stat().st_size for file in REPORTS.rglob("*.md")) <= MOST_TEXT
    assert [*REPORTS.glob("*.jsonl")] == []
