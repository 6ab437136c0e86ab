"""Verdicts on a training: what is different in words and in JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from symmetry import ranks
from symmetry.checker.verdict import Verdict
from symmetry.invariants.trainings import TRAININGS
from symmetry.report.command import command_line
from symmetry.units.words import count, in_ulps

_STATEMENTS = {invariant.name: invariant.statement for invariant in TRAININGS}
_FAILURES = ("violated", "rounding", "error")


def failed(verdict: Verdict) -> bool:
    """Return whether it is the verdict on a training, and there is something to be explained."""
    return verdict.of_training and verdict.kind in _FAILURES


def ratio(verdict: Verdict) -> str:
    """Say how large the largest deviation was, in responses."""
    return f"{verdict.ratio:.2g} responses, limit {verdict.threshold:g}"


def counted(verdict: Verdict) -> str:
    """Say how many runs were compared."""
    return f"{count(verdict.cases, 'run')} compared"


def facts(trainer: str, verdicts: Sequence[Verdict]) -> Iterable[tuple[str, str]]:
    """Yield the facts of a failure, in one dtype or in both: labels and texts."""
    verdict, *others = verdicts
    violation, rounding = verdict.violation, verdict.kind == "rounding"
    if verdict.kind not in ("error", "rounding"):
        yield "statement", _STATEMENTS[verdict.invariant]
    yield "found", verdict.message
    if violation is not None and not rounding:  # that is told in short
        if violation.iteration and violation.array:
            yield "where", f"step {violation.iteration}, {violation.array}"
        if violation.group:
            yield "units", violation.group + _pair(verdict)
        if violation.ulps is not None:
            relative = f", relative {violation.relative:.2g}" if violation.relative else ""
            yield "distance", in_ulps(violation.ulps) + relative
    if verdict.ratio is not None:
        more = (f"; in {other.dtype} {ratio(other)}" for other in others)
        yield "ratio", ratio(verdict) + "".join(more)
    if command := command_for(trainer, *verdicts):
        yield "reproduce", command
        if verdict.kind == "violated" and violation is not None and violation.group:
            yield "next", command_line("explain", trainer)


def command_for(trainer: str, verdict: Verdict, *others: Verdict) -> str | None:
    """Return the command that reproduces a failure; None if the target has no name to be found."""
    dtype = () if others else verdict.dtype
    if "<" in trainer or trainer.startswith("__main__:"):
        return None
    by_rounding = verdict.kind == "violated" and verdict.violation and verdict.violation.rounding
    line = command_line(
        "check", trainer, exact=bool(by_rounding), only=verdict.invariant, dtype=dtype
    )
    return f"torchrun --nproc-per-node {ranks.world()} -m {line}" if ranks.world() > 1 else line


def record(verdict: Verdict) -> dict[str, Any]:
    """Return what JSON has of a training in addition."""
    return {
        "matrix": None,
        "steps": verdict.steps,
        "array": verdict.array,
        "group": verdict.group,
        "ratio": verdict.ratio,
        "threshold": verdict.threshold,
    }


def _pair(verdict: Verdict) -> str:
    if verdict.violation is None or verdict.violation.units is None:
        return ""
    a, b = verdict.violation.units
    return f": {a} and {b}"
