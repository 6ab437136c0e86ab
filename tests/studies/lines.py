"""The lines of checks as rows of a report: verdicts, notes, and CPU seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from symmetry.report.table import in_short

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
