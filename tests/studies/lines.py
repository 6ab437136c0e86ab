"""The lines of checks as rows of a report: verdicts, notes, and CPU seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from symmetry.report.table import in_short

Line = Mapping[str, Any]


_COUNTED = ("rounding", "holds", "vacuous")  # after the verdicts that say more
_SILENT = "not applicable"


def verdicts(line: Line) -> str:
    """Return which checks are violated, how many hold, and which could not judge."""
    if "error" in line:
        return in_short(line)
    found = by_verdict(line)
    loud = [
        f"{n} {kind}" for kind in found if kind not in (*_COUNTED, _SILENT) for n in found[kind]
    ]
    texts = [*loud, f"{len(found.get('holds', ()))} hold"]
    if "rounding" in found:
        texts.append(f"{len(found['rounding'])} by rounding")
    if "vacuous" in found:
        texts.append(f"not judged: {', '.join(found['vacuous'])}")
    return ", ".join(texts)


def by_verdict(line: Line) -> dict[str, list[str]]:
    """Return the names of the checks of each verdict.

    A check that was run in two precisions has the verdict that says more: a violation or an error,
    then rounding, then that it holds, then that it could not judge.
    """
    kinds: dict[str, set[str]] = {}
    for result in line["results"]:
        kinds.setdefault(result["name"], set()).add(result["verdict"])
    order = (*_COUNTED, _SILENT)
    found: dict[str, list[str]] = {}
    for name, each in sorted(kinds.items()):
        loud = sorted(each - {*order})
        found.setdefault(next(iter([*loud, *(k for k in order if k in each)])), []).append(name)
    return found


def suspicious(line: Line) -> bool:
    """Return whether a check found a violation, or failed."""
    return "error" in line or any(
        result["verdict"] in ("violated", "error", "not finished") for result in line["results"]
    )


def notes(line: Line) -> str:
    """Return the notes of a check by name."""
    found = Counter(note["name"] for note in line.get("notes", ()))
    return ", ".join(name if number == 1 else f"{number} {name}" for name, number in found.items())


def exits(lines: Sequence[Line]) -> str:
    """Return how many checks ended with which status; 2 is one that proved nothing."""
    means = {0: "nothing is wrong", 1: "a violation or a failure", 2: "too little was proved"}
    found = Counter(line.get("exit_status", 2) for line in lines)
    return "; ".join(f"{found[n]} with {n} ({means.get(n, 'other')})" for n in sorted(found))


def cost(line: Line) -> str:
    """Return the CPU seconds; a process of its own, which notes the time, has imports in it."""
    if "cpu_seconds" not in line:
        return "-"
    return f"{line['cpu_seconds']:.0f}" + (" with imports" if "seconds" in line else "")


def laws(lines: Sequence[Line]) -> list[tuple[str, Counter[str]]]:
    """Return the names of checks that apply, and in how many trainings each has which verdict."""
    found: dict[str, Counter[str]] = {}
    for line in lines:
        for kind, names in by_verdict(line).items():
            for name in names if kind != _SILENT else ():
                found.setdefault(name, Counter())[kind] += 1
    return sorted(found.items())
