"""The age of a page: its commits, the changes since, and the checks that came later."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from symmetry.invariants.catalogue import catalogue
from tests.studies import ages
from tests.studies.ages import PAGES, UNKNOWN, Record, aged

NAMES = [each.name for each in catalogue() if each.default]


@pytest.fixture
def known(monkeypatch):
    """Return a record of two commits; all checks but the last came before the second one."""
    checks = dict.fromkeys(NAMES[:-1], 5)
    record = Record("2026-12-02", "fff0000", 9, {"aaa0000": ("2026-12-01", 3)}, checks)
    record.commits["bbb0000"] = "2026-12-02", 6
    monkeypatch.setattr(Record, "read", lambda: record)
    return record


def said(*rows: dict[str, object]) -> str:
    return " ".join(aged("checks.md", "# A title\n\nText.\n", rows).split())


def test_a_page_names_the_checks_that_came_after_its_oldest_row(known):
    old, new = {"code": "aaa0000"}, {"commit": "bbb0000"}
    assert f"1 check of today came later, and was not run for these rows: `{NAMES[-1]}`" in said(
        new
    )
    text = said(new, new, old)
    assert "# A title Made at 2 commits (number of rows): aaa0000 (1), bbb0000 (2)." in text
    assert "from 2026-12-01 to 2026-12-02; up to fff0000 of 2026-12-02" in text
    assert f"changed in 3 to 6 commits more. {len(NAMES)} checks of today came later" in text


def test_results_of_a_row_say_more_than_its_commit(known):
    results = [{"name": name} for name in NAMES[2:]]
    assert f"not run for these rows: `{NAMES[0]}`, `{NAMES[1]}`." in said(
        {"commit": "aaa0000", "results": results}
    )


def test_a_paragraph_is_written_once_and_names_checks_that_are_gone(known):
    rows = [{"commit": "bbb0000"}]
    once = aged("checks.md", "# A title\n\nIt has `loop/forgotten` and `loop/modes`.\n", rows)
    assert once.endswith(
        "Not among today's checks: `loop/forgotten`.\n\n" + once[once.index("It ") :]
    )
    assert aged("checks.md", once, rows) == once


def test_the_history_is_counted_once_for_each_commit(known, monkeypatch):
    asked = []

    def git(*words: str) -> str:
        asked.append(words)
        if words[0] == "rev-list":
            return {"HEAD": "12", "ccc0000": "11", "ddd0000": "10"}[words[2]]
        return {"--reverse": "ddd0000\n"}.get(words[1], "ccc0000 2026-12-03")[
            -11 * (len(words) > 3) :
        ]

    monkeypatch.setattr(ages, "_git", git)
    found = ages.count(known, ["aaa0000", UNKNOWN])
    assert (found.commit, found.date, found.number) == ("ccc0000", "2026-12-03", 12)
    assert found.commits == known.commits
    assert found.checks == {**known.checks, NAMES[-1]: 10}
    assert len(asked) == 4


def test_the_table_has_each_page(known, monkeypatch, capsys):
    monkeypatch.setattr(
        ages,
        "count",
        lambda record, commits: SimpleNamespace(
            number=9, commits=dict.fromkeys(commits, ("", 4)), late=lambda rows: ["a"]
        ),
    )
    monkeypatch.setattr("sys.argv", ["ages"])
    assert ages.main() == 0
    table = capsys.readouterr().out.splitlines()
    assert [row.split(" | ")[0].strip("| ") for row in table[2:]] == [*PAGES]
    assert all(" | 5 | " in row for row in table[2:])
