"""The report ``trainers.md``: every training with its verdicts, notes and CPU seconds."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from symmetry.report.files import ReportFiles
from symmetry.report.filling import environment, fill_paragraphs
from tests.studies.ages import aged
from tests.studies.lines import Line, cost, exits, laws, notes, suspicious, verdicts
from tests.studies.trainers.combinations import combinations
from tests.studies.trainers.reasons import REASONS

COMMAND = "python -m tests.studies.trainers"
MARKDOWN, LINES = "trainers.md", "trainers.jsonl"
MODULES = "transformers", "trl", "peft", "timm", "torchvision", "lightning", "torch"


def render(lines: Mapping[str, Line]) -> ReportFiles:
    """Return the report of the lines that are there."""
    rows = [(each, lines.get(each.target)) for each in combinations()]
    checked = [line for _, line in rows if line is not None]
    template = environment(Path(__file__).parent).get_template("trainers.md.jinja")
    text = template.render(
        command=COMMAND,
        versions=[f"{name} {version(name)}" for name in MODULES],
        rows=rows,
        checked=checked,
        reasons=REASONS,
        verdicts=verdicts,
        cost=cost,
        laws=laws(checked),
        accused=[(each, line) for each, line in rows if line and suspicious(line)],
        notes=notes,
        exits=exits(checked),
    )
    return ReportFiles({MARKDOWN: aged(MARKDOWN, fill_paragraphs(text), checked)})
