"""A line for each problem, as editors and compilers have them: ``file:line: level: text``."""

from __future__ import annotations

from collections.abc import Sequence

from symmetry.base.errors import FAILED
from symmetry.checker.verdict import Checked
from symmetry.explanation.explained import Explained
from symmetry.report.problems import all_problems
from symmetry.report.verdicts import conclusion


def render(checked: Checked, explained: Explained | None = None) -> str:
    """Return a line for each problem and note; nothing for a sound target."""
    lines = [
        f"{_place(each.file or checked.target, each.line)}: {each.level}: {each.check}: "
        f"{_one_line(f'{each.fact}. {each.cure}')}"
        for each in all_problems(checked, explained)
    ]
    if checked.status == FAILED:
        lines.append(f"{_place(checked.target)}: error: {_one_line(conclusion(checked))}")
    return "\n".join(lines)


def merge(texts: Sequence[str], failed: Sequence[tuple[str, str]]) -> str:
    """Return the lines of several checks, and one for each target that has none."""
    others = (f"{_place(target)}: error: {_one_line(why)}" for target, why in failed)
    return "\n".join([*filter(None, texts), *others])


def _place(file: str, line: int | None = None) -> str:
    """Return a file and a line; the first one if none is known."""
    return f"{file}:{line or 1}"


def _one_line(text: str) -> str:
    return " ".join(text.replace("..", ".").split())
