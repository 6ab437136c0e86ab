"""Workflow commands of GitHub: annotations at a line of a file."""

from __future__ import annotations

from collections.abc import Sequence

from symmetry.base.errors import FAILED
from symmetry.checker.verdict import Checked
from symmetry.explanation.explained import Explained
from symmetry.report.problems import Problem, all_problems, message
from symmetry.report.verdicts import conclusion


def render(checked: Checked, explained: Explained | None = None) -> str:
    """Return an error for each problem and a warning for each note."""
    found = all_problems(checked, explained)
    lines = [_annotation(checked, problem) for problem in found if problem.level == "violation"]
    if checked.status == FAILED:
        lines.append(_command("error", checked.target, conclusion(checked)))
    lines += [_annotation(checked, problem) for problem in found if problem.level == "note"]
    if checked.cut:
        lines.append(_command("notice", checked.target, conclusion(checked)))
    return "\n".join(lines or [f"{checked.target}: {conclusion(checked)}"])


def merge(texts: Sequence[str], failed: Sequence[tuple[str, str]]) -> str:
    """Return the commands of several checks, and an error for each target that has none."""
    return "\n".join([*texts, *(_command("error", target, why) for target, why in failed)])


def _annotation(checked: Checked, problem: Problem) -> str:
    kind = "error" if problem.level == "violation" else "warning"
    title = f"{checked.target}: {', '.join(problem.invariants)}"
    return _command(kind, title, message(problem), problem.file, problem.line)


def _command(
    kind: str, title: str, text: str, file: str | None = None, line: int | None = None
) -> str:
    """Return a workflow command; its properties and its text have escapes of their own."""
    facts = {"file": file, "line": line, "title": title}
    properties = ",".join(
        f"{key}={_escaped(str(value)).replace(':', '%3A').replace(',', '%2C')}"
        for key, value in facts.items()
        if value is not None
    )
    return f"::{kind} {properties}::{_escaped(text)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
