"""An edit of one file that mends a problem, where it is certain which one does.

An edit is made from the syntax of the guilty lines, once it was measured that they are wrong. It is
offered only if the code is written in a usual way; the same invariant judges the result.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from symmetry.report.edits import gradients, loop, losses, models
from symmetry.report.edits.source import Lines, Source

# Larger edits are left to the reader.
_MOST_LINES, _MOST_LETTERS = 16, 600
# Each knows its problem by the message.
_CURES = (*gradients.CURES, *losses.CURES, *loop.CURES, *models.CURES)


@dataclass(frozen=True)
class Edit:
    """Lines of a file to be replaced: ``old`` stands at ``line`` and below it."""

    file: str
    line: int  # the first one to be replaced, from 1
    old: str  # whole lines, without the end of the last one
    new: str


def edit_at(text: str, file: str | None, line: int | None) -> Edit | None:
    """Return the edit that mends a problem at a line; None if none is certain.

    Parameters
    ----------
    text
        The message of its problem.
    file, line
        The guilty line of the user's code.
    """
    if not file or not line or not file.endswith(".py"):
        return None
    source = Source.read(file)
    statement = source.statement(line) if source is not None else None
    if source is None or statement is None or source.shares_lines(statement):
        return None
    for cure in _CURES:
        new = cure(source, statement, text)
        if new is not None and new != source.lines:
            return _hunk(file, source.lines, new)
    return None


def _hunk(file: str, old: Sequence[str], new: Lines) -> Edit | None:
    """Return the lines that differ, and one beside them if nothing is replaced."""
    try:
        ast.parse("".join(new))
    except SyntaxError:
        return None
    least = min(len(old), len(new))
    same = next((n for n in range(least) if old[n] != new[n]), least)
    rest = least - same
    tail = next((n for n in range(rest) if old[-1 - n] != new[-1 - n]), rest)
    if same in (len(old) - tail, len(new) - tail):  # lines are only added, or only removed
        if same:
            same -= 1
        else:
            tail -= 1
    before = "".join(old[same : len(old) - tail]).removesuffix("\n")
    behind = "".join(new[same : len(new) - tail]).removesuffix("\n")
    if len(before) + len(behind) > _MOST_LETTERS or before.count("\n") >= _MOST_LINES:
        return None
    return Edit(file, same + 1, before, behind)
