"""The report ``trainers.md``: every training with its verdicts, notes and CPU seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from symmetry.report.files import ReportFiles
from symmetry.report.filling import environment, fill_paragraphs
from symmetry.report.table import in_short
from tests.studies.trainers.combinations import combinations
from tests.studies.trainers.reasons import REASONS

COMMAND = "python -m tests.studies.trainers"
MARKDOWN, LINES = "trainers.md", "trainers.jsonl"
MODULES = "transformers", "trl", "peft", "timm", "torchvision", "lightning", "torch"
Line = Mapping[str, Any]


def verdicts(line: Line) -> str:
    """Return how many checks hold, and which are violated."""
    if "error" in line:
        return in_short(line)
    kinds = {(result["name"], result["verdict"]) for result in line["results"]}
    held = {name for name, kind in kinds if kind in ("holds", "rounding")}
    others = [
        f"{name} {kind}"
        for name, kind in sorted(kinds)
        if kind not in ("holds", "rounding", "not applicable", "vacuous")
    ]
    return ", ".join([*others, f"{len(held - {text.split()[0] for text in others})} hold"])


def suspicious(line: Line) -> bool:
    """Return whether a check found a violation, or failed."""
    return "error" in line or any(
        result["verdict"] in ("violated", "error", "not finished") for result in line["results"]
    )


def notes(line: Line) -> str:
    """Return the notes of a check by name."""
    found = Counter(note["name"] for note in line.get("notes", ()))
    return ", ".join(name if number == 1 else f"{number} {name}" for name, number in found.items())


def cost(line: Line) -> str:
    """Return the CPU seconds; a process of its own, which notes the time, has imports in it."""
    if "cpu_seconds" not in line:
        return "-"
    return f"{line['cpu_seconds']:.0f}" + (" with imports" if "seconds" in line else "")


def laws(lines: Sequence[Line]) -> list[tuple[str, int, int]]:
    """Return the names of checks that could judge, and in how many trainings each came to what."""
    found: dict[str, Counter[str]] = {}
    for line in lines:
        kinds: dict[str, set[str]] = {}
        for result in line["results"]:
            kinds.setdefault(result["name"], set()).add(result["verdict"])
        for name, each in kinds.items():
            counts = found.setdefault(name, Counter())
            counts["violated"] += "violated" in each
            counts["holds"] += "violated" not in each and bool(each & {"holds", "rounding"})
    return [(n, c["holds"], c["violated"]) for n, c in sorted(found.items()) if c.total()]


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
        codes=Counter(line["code"] for line in checked),
        reasons=REASONS,
        verdicts=verdicts,
        cost=cost,
        laws=laws(checked),
        accused=[(each, line) for each, line in rows if line and suspicious(line)],
        notes=notes,
    )
    return ReportFiles({MARKDOWN: fill_paragraphs(text)})
