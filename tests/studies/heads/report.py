"""The reports ``accumulation.md`` and ``packing.md``, from their rows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from symmetry.report.files import ReportFiles
from symmetry.report.filling import environment, fill_paragraphs

COMMAND = "python -m tests.studies.heads"
NEAR = 0.02  # of a factor: auxiliary losses of a batch are not those of its parts
NOTHING = 1e-5  # an effect in float32, relative
Row = Mapping[str, Any]


def read(file: Path) -> list[Row]:
    """Return the rows that are there."""
    text = file.read_text("utf-8") if file.exists() else ""
    return [json.loads(line) for line in text.splitlines()]


def render(study: str, rows: Sequence[Row]) -> ReportFiles:
    """Return the report of some rows."""
    template = environment(Path(__file__).parent).get_template(f"{study}.md.jinja")
    text = template.render(
        command=f"{COMMAND} {study}",
        rows=rows,
        missing=Counter(row["why"].partition(":")[0] for row in rows if "why" in row),
        versions=sorted({f"{k} {v}" for row in rows for k, v in row["versions"].items()}),
        seconds=sum(row["cpu_seconds"] for row in rows),
        **STUDIES[study](rows),
    )
    return ReportFiles({f"{study}.md": fill_paragraphs(text)})


def _accumulation(rows: Sequence[Row]) -> dict[str, Any]:
    measured = [row for row in rows if "ratio" in row]
    wrong = [row for row in measured if abs(row["ratio"] - 1) > NEAR]
    return {
        "measured": measured,
        "wrong": sorted(wrong, key=lambda row: (row["task"], row["head"])),
        "tasks": [*by_task(measured)],
        "kinds": len({row["kind"] for row in wrong}),
        "control": max((abs(row["divided"] - 1) for row in wrong), default=0.0),
    }


def by_task(rows: Sequence[Row]) -> list[tuple[str, int, int, int]]:
    """Return each task with its heads: how many, at a factor of 1, and at another one."""
    found = []
    for task in dict.fromkeys(row["task"] for row in rows):
        mine = [row for row in rows if row["task"] == task]
        right = sum(abs(row["ratio"] - 1) <= NEAR for row in mine)
        found.append((task.lower().replace("_", " "), len(mine), right, len(mine) - right))
    return found


def _packing(rows: Sequence[Row]) -> dict[str, Any]:
    measured = [row for row in rows if "cached" in row]
    acts = [(row["cached"] > NOTHING, row["uncached"] > NOTHING) for row in measured]
    of = {
        kind: sorted((r for r, a in zip(measured, acts, strict=True) if a == kind), key=_head)
        for kind in ((True, False), (True, True), (False, False), (False, True))
    }
    return {
        "measured": measured,
        "only_cached": of[True, False],
        "always": of[True, True],
        "never": of[False, False],
        "only_uncached": of[False, True],
    }


def _head(row: Row) -> str:
    return str(row["head"])


STUDIES: dict[str, Callable[[Sequence[Row]], dict[str, Any]]] = {
    "accumulation": _accumulation,
    "packing": _packing,
}
