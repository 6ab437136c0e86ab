"""How old the rows of each report are: the commits at which they were made, and what came since.

A page says so below its title. ``python -m tests.studies.ages`` prints a table of all pages with
the counts of this moment; ``--write`` keeps them in reports/commits.json, since a checkout without
history cannot count, and writes the paragraphs of all pages anew.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from symmetry.invariants.catalogue import catalogue
from symmetry.report.filling import fill_paragraphs
from symmetry.targets.kinds import invariants

REPORTS = Path(__file__).parents[2] / "reports"
RECORD = REPORTS / "commits.json"
UNKNOWN = "unknown"
Row = Mapping[str, Any]
_BEGIN = "Made at"  # the first words of the paragraph
_TITLE = re.compile(r"(^# [^\n]*\n\n)(Made at [^\n]+\n(?:[^\n]+\n)*\n+)?", re.MULTILINE)


@dataclass(frozen=True)
class Page:
    """Where the rows of a report stand, or the commit that brought them if they are no lines."""

    lines: str = ""
    commit: str = ""
    checks: bool = False  # whether a row is the answer of a check
    # Whether rows that were made before they had a commit have the one that brought them.
    by_history: bool = False


PAGES = {
    "comparisons.md": Page(commit="1556ce8d"),
    "invariants.md": Page(commit="4ca27239"),
    "performance.md": Page(commit="c92ff43f"),
    "performance-finding.md": Page(commit="237038d7"),
    "portability.md": Page(commit="a0b11e0d"),
    "response.md": Page("response.jsonl"),
}
# The rest: each commit has to write the same bytes, which CI looks at; an index; finished pages;
# those of public code, which say their commits themselves.
AGELESS = (
    *("mnist.md", "README.md", "faults.md", "silent.md", "frameworks.md", "checks.md"),
    *("jax-examples.md", "strangers-bugs.md", "strangers.md", "survey.md", "trainers.md"),
)


@dataclass
class Record:
    """What the history says, as it was counted last."""

    date: str = ""
    commit: str = ""
    number: int = 0  # of the commits of the package up to there
    commits: dict[str, tuple[str, int]] = field(default_factory=dict)  # date, and such a number
    checks: dict[str, int] = field(default_factory=dict)  # the number at which each came

    @classmethod
    def read(cls) -> Record:
        return cls(**json.loads(RECORD.read_text("utf-8"))) if RECORD.exists() else cls()

    def late(self, rows: Sequence[Row]) -> list[str]:
        """Return the checks of today that were not run for each row.

        A row that has the results of all checks, those that do not apply among them, says so
        itself. For another one the history says which checks came after its commit.
        """
        names = [each.name for each in catalogue() if each.default]
        late = set[str]()
        for row in rows:
            if results := row.get("results"):
                late |= {*names} - {result["name"] for result in results}
            elif "results" not in row and (known := self.commits.get(commit_of(row))):
                later = self.number + 1
                late |= {name for name in names if self.checks.get(name, later) > known[1]}
        return [name for name in names if name in late]


def commit_of(row: Row) -> str:
    """Return the commit at which a row was made."""
    return str(row.get("commit") or row.get("code") or UNKNOWN)


def rows_of(page: str) -> list[Row]:
    """Return the rows of a page; a page as a whole counts as one."""
    file = PAGES[page].lines
    if not file:
        return [{"commit": PAGES[page].commit}]
    return [json.loads(line) for line in (REPORTS / file).read_text("utf-8").splitlines()]


def aged(page: str, text: str, rows: Iterable[Row] | None = None) -> str:
    """Return the text of a page with the age of its rows below its title."""
    rows = rows_of(page) if rows is None else [*rows]
    if not rows:
        return text
    bare = _TITLE.sub(r"\1", text, count=1)
    says = fill_paragraphs(_said(PAGES[page], rows, bare, Record.read())).strip()
    return _TITLE.sub(lambda title: f"{title[1]}{says}\n\n", bare, count=1)


def _said(page: Page, rows: Sequence[Row], text: str, record: Record) -> str:
    """Return the paragraph."""
    commits = Counter(map(commit_of, rows))
    known = sorted((record.commits[each], each) for each in commits if each in record.commits)
    order = [*(name for _, name in known), *sorted({*commits} - {*record.commits})]
    if len(order) > 1:
        named = [f"{name} ({commits[name]})" for name in order]
        said = [f"{_BEGIN} {len(order)} commits (number of rows): {', '.join(named)}."]
    else:
        number = f" ({_plural(commits.total(), 'row')})" if page.lines else ""
        said = [f"{_BEGIN} commit {order[0]}{number}."]
    if page.by_history:
        said.append("A row that was made before rows had a commit has the one that brought it.")
    if known:
        dates = dict.fromkeys((known[0][0][0], known[-1][0][0]))
        behind = dict.fromkeys(record.number - known[at][0][1] for at in (-1, 0))
        said.append(
            f"That was {'from ' if len(dates) > 1 else 'on '}{' to '.join(dates)}; up to"
            f" {record.commit} of {record.date} the package changed in"
            f" {' to '.join(f'{n:,}' for n in behind)} commit{'s' * ({*behind} != {1})} more."
        )
    late = record.late(rows) if page.checks else []
    if late:
        which = "these rows" if len(commits) == 1 else "all of these rows"
        names = ", ".join(f"`{name}`" for name in late)
        checks = f"{_plural(len(late), 'check')} of today came later"
        were = "was" if len(late) == 1 else "were"
        said.append(f"{checks}, and {were} not run for {which}: {names}.")
    if gone := [f"`{name}`" for name in named_in(text) if name not in _names()]:
        said.append(f"Not among today's checks: {', '.join(gone)}.")
    return " ".join(said)


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def named_in(text: str) -> list[str]:
    """Return the checks and notes that a text names."""
    families = "|".join(sorted({name.partition("/")[0] for name in _names()}))
    return sorted({*re.findall(rf"`((?:{families})/[a-z0-9-]+)`", text)})


def _names() -> set[str]:
    """Return the names of today's checks, and of the notes that they give."""
    every = invariants()
    return {each.name for each in every} | {note.name for each in every for note in each.notes}


def count(record: Record, commits: Iterable[str]) -> Record:
    """Return a record of this moment: what is known of a commit does not change."""
    head, date = _git("log", "-1", "--format=%h %cs").split()
    found = Record(date, head, _number("HEAD"), dict(record.commits), dict(record.checks))
    for each in sorted({*commits} - {*found.commits, UNKNOWN}):
        if not _git("rev-list", "--ignore-missing", "-1", each):
            continue  # of a branch that has been rebased since
        found.commits[each] = _git("log", "-1", "--format=%cs", each).strip(), _number(each)
    for name in (each.name for each in catalogue() if each.default):
        if name not in found.checks:
            # Names of settings were put together in the package, and whole in tests.
            paths = "symmetry", "tests", "README.md"
            came = _git("log", "--reverse", "--format=%h", f"-S{name}", "--", *paths).split()
            if came:
                found.checks[name] = _number(came[0])
    return found


def _number(commit: str) -> int:
    return int(_git("rev-list", "--count", commit, "--", "symmetry"))


def _git(*words: str) -> str:
    command = ["git", "-C", str(REPORTS.parent), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.studies.ages", description=__doc__)
    parser.add_argument("--write", action="store_true", help="keep the counts, and write the pages")
    given = parser.parse_args()
    pages = {page: rows_of(page) for page in PAGES}
    record = count(Record.read(), (commit_of(row) for rows in pages.values() for row in rows))
    print("| page | commits | changes of the package since | checks not run |\n|---|--:|--:|--:|")
    for page, rows in pages.items():
        commits = {*map(commit_of, rows)}
        numbers = [record.commits[each][1] for each in commits if each in record.commits]
        since = dict.fromkeys(record.number - at for at in (max(numbers), min(numbers)))
        late = len(record.late(rows)) if PAGES[page].checks else "-"
        print(f"| {page} | {len(commits)} | {' to '.join(map(str, since))} | {late} |")
    if given.write:
        RECORD.write_text(json.dumps(vars(record), indent=1) + "\n", "utf-8")
        for page in PAGES:
            file = REPORTS / page
            file.write_text(aged(page, file.read_text("utf-8")), "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
