"""The report ``strangers-bugs.md``: each bug that was put in, and what a check says of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import symmetry
from symmetry.cli.campaign.several import read_lines
from symmetry.report.files import ReportFiles
from symmetry.report.filling import environment, fill_paragraphs
from tests.studies.ages import aged
from tests.studies.strangers import report
from tests.studies.strangers.put_in import (
    FAMILIES,
    OUTCOMES,
    Bug,
    Outcome,
    bugs,
    outcome,
    violations,
)
from tests.studies.strangers.read import READ

MARKDOWN, LINES = "strangers-bugs.md", "strangers-bugs.jsonl"

Row = tuple[Bug, Mapping[str, Any], Outcome, Outcome]  # its line, as it came, and now
Count = tuple[str, Counter[Outcome], Counter[Outcome]]  # as they came, and now


def render(lines: Mapping[str, Mapping[str, Any]]) -> ReportFiles:
    """Return the report of the lines that are there."""
    rows = [_row(bug, lines[bug.target]) for bug in bugs() if bug.target in lines]
    template = environment(Path(__file__).parent).get_template("strangers-bugs.md.jinja")
    promised = [row for row in rows if row[0].promised]
    families = [(name, [row for row in rows if row[0].family == name]) for name in FAMILIES]
    text = template.render(
        command=f"{report.COMMAND} --bugs",
        rows=rows,
        scripts=len({bug.recipe for bug, *_ in rows}),
        outcomes=OUTCOMES,
        counts=[
            _count("all", rows),
            _count("README promises it", promised),
            _count("README says nothing", [row for row in rows if not row[0].promised]),
        ],
        families=[_count(name, of) for name, of in families if of],
        seen=seen,
        read=READ,
        codes=Counter(line["code"] for _, line, *_ in rows),
    )
    return ReportFiles({MARKDOWN: aged(MARKDOWN, fill_paragraphs(text), lines.values())})


def _row(bug: Bug, line: Mapping[str, Any]) -> Row:
    now = outcome(line, without(bug.target))
    return bug, line, line.get("came", now), now


def _count(name: str, rows: Iterable[Row]) -> Count:
    rows = [*rows]
    return name, Counter(row[2] for row in rows), Counter(row[3] for row in rows)


def without(target: str) -> Mapping[str, Any]:
    """Return the line of a script without the bug of a target."""
    return _unchanged()[target.partition("/")[0]]


@cache
def _unchanged() -> dict[str, Any]:
    return read_lines(Path(symmetry.__file__).parents[1] / "reports" / report.LINES)


def seen(target: str, line: Mapping[str, Any]) -> str:
    """Return what a check says that it does not say of the script without the bug."""
    if "error" in line:
        return str(line["error"])
    plain = without(target)
    notes = [f"note {each}" for each in {*line["notes"]} if each not in plain["notes"]]
    found = [*violations(line, plain), *sorted(notes)]
    if not found and line["exit"]:  # a script that fails by itself, or no verdict
        text = " ".join(line["text"][:2])
        found = [text.partition(" fails: ")[2] or text.partition(": ")[2] or text]
    return ", ".join(found)
