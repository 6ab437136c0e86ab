"""The report ``jax-examples.md``: every example with its verdicts, groups and CPU seconds."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from symmetry.report.files import ReportFiles
from symmetry.report.filling import environment, fill_paragraphs
from tests.studies.ages import aged
from tests.studies.jax_examples.examples import listed
from tests.studies.jax_examples.reasons import BROKEN, REASONS, SEEN
from tests.studies.jax_examples.sources import REPOSITORIES
from tests.studies.lines import Line, cost, exits, laws, notes, suspicious, verdicts

COMMAND = "python -m tests.studies.jax_examples"
MARKDOWN, LINES = "jax-examples.md", "jax-examples.jsonl"
MODULES = "jax", "flax", "equinox", "optax", "dm-haiku", "keras", "jraph"


def render(lines: Mapping[str, Line]) -> ReportFiles:
    """Return the report of the lines that are there."""
    rows = [(each, lines.get(each.target)) for each in listed()]
    checked = [line for _, line in rows if line is not None]
    template = environment(Path(__file__).parent).get_template("jax-examples.md.jinja")
    text = template.render(
        command=COMMAND,
        repositories=REPOSITORIES.values(),
        versions=[f"{name} {version(name)}" for name in MODULES if is_installed(name)],
        rows=rows,
        checked=checked,
        reasons=REASONS,
        broken=BROKEN,
        seen=SEEN,
        verdicts=verdicts,
        cost=cost,
        laws=laws(checked),
        accused=[(each, line) for each, line in rows if line and suspicious(line)],
        notes=notes,
        exits=exits(checked),
    )
    return ReportFiles({MARKDOWN: aged(MARKDOWN, fill_paragraphs(text), checked)})


def is_installed(package: str) -> bool:
    """Return whether a package is installed: a report can be rendered where some are missing."""
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False
