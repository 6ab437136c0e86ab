"""The report ``compiler.md``: what was compared, what differs, and how far from float64 it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from symmetry.report.files import ReportFiles
from symmetry.report.filling import environment, fill_paragraphs
from tests.studies.compiler.judged import JUDGED, Bug
from tests.studies.compiler.layers import LAYERS

COMMAND = "python -m tests.studies.compiler"
MARKDOWN, LINES = "compiler.md", "compiler.jsonl"
OUTCOMES = ("same", "not judged", "differs", "raises", "died", "not run")
FAILED = ("differs", "raises", "died")
DTYPES = ("float32", "float64", "bfloat16")
Row = Mapping[str, Any]


def render(rows: Sequence[Row]) -> ReportFiles:
    """Return the report of some rows."""
    template = environment(Path(__file__).parent).get_template(f"{MARKDOWN}.jinja")
    visited = {word for row in rows for word in words_of(row)}
    ran = [row for row in rows if row["outcome"] != "not run"]
    text = template.render(
        command=COMMAND,
        rows=rows,
        outcomes=[each for each in OUTCOMES if any(row["outcome"] == each for row in rows)],
        table=[*by_dtype(rows)],
        failed=[*failures(rows)],
        bugs=Counter(bug for _, _, bug in failures(rows) if bug),
        farthest=sorted((r for r in rows if r.get("ratio")), key=_share, reverse=True)[:5],
        excess=[*excesses(rows)],
        drawn=len(visited),
        left=sorted({word for kind in LAYERS for word in LAYERS[kind]} - visited),
        refused=Counter(reason(row["why"]) for row in rows if row["outcome"] == "not run"),
        broken=sum(bool(row.get("graph_breaks")) for row in ran),
        breaks=sorted({b.partition("\n")[0] for row in ran for b in row.get("graph_breaks", ())}),
        kernels=int(np.median([row["kernels"] for row in ran if "kernels" in row])),
        seconds=sum(row["cpu_seconds"] for row in rows),
        middle=float(np.median([row["cpu_seconds"] for row in rows])),
        made_with=sorted({row["made_with"] for row in rows}),
    )
    return ReportFiles({MARKDOWN: fill_paragraphs(text)})


def words_of(row: Row) -> list[str]:
    """Return the layers of an architecture."""
    return [word.removeprefix("+") for word in row["arguments"]["layers"].split("/")[1:]]


def by_dtype(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row], Counter[str], float, int]]:
    """Yield each dtype, its rows, their outcomes, the largest ratio of those that are the same."""
    for dtype in DTYPES:
        mine = [row for row in rows if row["arguments"]["dtype"] == dtype]
        same = [row for row in mine if row["outcome"] == "same"]
        largest = max((row["ratio"] or 0.0 for row in same), default=0.0)
        arrays = int(np.median([row["arrays"] for row in same])) if same else 0
        yield dtype, mine, Counter(row["outcome"] for row in mine), largest, arrays


def failures(rows: Sequence[Row]) -> Iterator[tuple[Row, Row, Bug | None]]:
    """Yield each row that is not the same, the smallest one that was found, and its bug."""
    for row in rows:
        if row["outcome"] in FAILED:
            yield row, row.get("smallest", row), JUDGED.get(row["line"])


def excesses(rows: Sequence[Row]) -> Iterator[tuple[str, int, float, float, Row]]:
    """Yield by dtype how far compiled is from float64, by how far eager or one ulp is."""
    for dtype in DTYPES:
        mine = [r for r in rows if r["arguments"]["dtype"] == dtype and "excess" in r]
        if mine:
            worst = max(mine, key=lambda row: row["excess"])
            middle = float(np.median([row["excess"] for row in mine]))
            yield dtype, len(mine), middle, worst["excess"], worst


def reason(why: str) -> str:
    """Return the error of eager, without its place and what comes before."""
    return why.partition(" raised ")[2].partition(" (tests/")[0] or why


def _share(row: Row) -> float:
    return float(row["ratio"] / row["limit"])
