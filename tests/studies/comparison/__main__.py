"""Write reports/comparisons.md: how far sound pairs are apart.

What was measured stands in comparisons.json; a run that was interrupted goes on there.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from symmetry.checker.threads import one_thread
from symmetry.report.files import ReportFiles
from symmetry.report.filling import environment, fill_paragraphs
from symmetry.training.response import THRESHOLDS
from tests.studies.comparison.sound import attended, settings, turned

COMMAND = "python -m tests.studies.comparison"
MARKDOWN, MEASURED = "comparisons.md", "comparisons.json"
STUDIES: dict[str, Callable[[], Iterator[dict[str, Any]]]] = {
    "settings": turned,
    "attention": attended,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog=COMMAND, description="Write reports/comparisons.md.")
    parser.add_argument("--output", type=Path, default=Path("reports"), metavar="DIR")
    parser.add_argument("--again", choices=STUDIES, action="append", default=[])
    given = parser.parse_args()
    file = given.output / MEASURED
    known = json.loads(file.read_text("utf-8")) if file.exists() else {}
    for name, study in STUDIES.items():
        if name not in known or name in given.again:
            with one_thread():
                known[name] = [*map(announced, study())]
            file.write_text(json.dumps(known, indent=1) + "\n", "utf-8")
    report(known).write(given.output)
    return 0


def announced(row: dict[str, Any]) -> dict[str, Any]:
    """Say what was measured, and return it."""
    print(*row.values(), flush=True)
    return row


def report(known: dict[str, list[dict[str, Any]]]) -> ReportFiles:
    """Return the report of what was measured."""
    rows = []
    for invariant in settings():
        found = [row for row in known["settings"] if row["setting"] == invariant.name]
        judged = [row for row in found if row["ratio"] is not None]
        largest = max(judged, key=lambda row: row["ratio"], default=None)
        rows.append((invariant, len(judged), len(found) - len(judged), largest))
    attention = sorted(known["attention"], key=_suspicion, reverse=True)
    template = environment(Path(__file__).parent).get_template("comparisons.md.jinja")
    text = template.render(
        command=COMMAND,
        rows=rows,
        attention=attention,
        limits=THRESHOLDS,
        ratio=lambda value: "-" if value is None else f"{value:.2g}",
    )
    return ReportFiles({MARKDOWN: fill_paragraphs(text)})


def _suspicion(row: dict[str, Any]) -> tuple[bool, float]:
    return not row["same"], max(filter(None, row["ratios"].values()), default=0.0)


if __name__ == "__main__":
    sys.exit(main())
