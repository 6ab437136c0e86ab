"""The report ``strangers-fixes.md``: bugs found in strangers' scripts, and their fixes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from symmetry.report.files import ReportFiles
from symmetry.report.filling import environment, fill_paragraphs
from tests.studies.ages import aged
from tests.studies.strangers import report
from tests.studies.strangers.bugs_report import without
from tests.studies.strangers.fixes import fixes, found, is_found

MARKDOWN, LINES = "strangers-fixes.md", "strangers-fixes.jsonl"


def render(lines: Mapping[str, Mapping[str, Any]]) -> ReportFiles:
    """Return the report of the lines that are there."""
    template = environment(Path(__file__).parent).get_template("strangers-fixes.md.jinja")
    rows = [(fix, without(fix.recipe), lines[fix.recipe]) for fix in fixes() if fix.recipe in lines]
    text = template.render(
        command=f"{report.COMMAND} --fixes",
        rows=rows,
        is_found=is_found,
        found=found,
        unreported=[fix for fix, *_ in rows if fix.upstream.startswith("no report")],
    )
    return ReportFiles({MARKDOWN: aged(MARKDOWN, fill_paragraphs(text), lines.values())})
