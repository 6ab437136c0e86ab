"""Lines that a comment excuses from an invariant or a note, with a reason.

    model.eval()  # symmetry: ignore[loop/modes] the body is frozen on purpose

The comment stands in the statement that is guilty, or in a line of its own before it.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from symmetry.base.errors import SymmetryError
from symmetry.base.notebooks import cell_of, code_in
from symmetry.base.user_code import shorten

_SIGN = b"symmetry: ignore"
_COMMENT = re.compile(r"#\s*symmetry: ignore\b(?:\[([^\]]*)\])?(.*)")

Line = tuple[str | None, int | None]  # the file as it is shown, and the line from 1


@dataclass(frozen=True)
class Ignored:
    """A comment that excuses a statement."""

    file: str  # as it is shown
    at: int  # the line of the comment
    lines: range  # those of the statement
    names: tuple[str, ...]  # of invariants and notes
    reason: str

    def covers(self, name: str, line: Line) -> bool:
        """Return whether it excuses a line from an invariant or a note."""
        file, number = line
        return name in self.names and file == self.file and number in self.lines

    @property
    def words(self) -> str:
        """The line of the comment, and the comment without its reason."""
        cell = cell_of(self.file, self.at)
        where = (
            f"{self.file}, cell {cell.cell}, line {cell.line}"
            if cell
            else (f"{self.file}:{self.at}")
        )
        return f"{where}: symmetry: ignore[{', '.join(self.names)}]"


class IgnoredLines:
    """The excused lines of a target, and which of them were guilty.

    Parameters
    ----------
    ignored
        Its comments.
    """

    def __init__(self, ignored: Sequence[Ignored]) -> None:
        self._ignored = ignored
        self._used: set[Ignored] = set()

    def reason(self, name: str, lines: Iterable[Line]) -> str | None:
        """Return why all these lines are excused from a name; None if one is not."""
        found: list[Ignored] = []
        for line in lines:
            comment = next((each for each in self._ignored if each.covers(name, line)), None)
            if comment is None:
                return None
            found.append(comment)
        self._used.update(found)
        return found[0].reason if found else None

    def unused(self, judged: Set[str]) -> Iterator[str]:
        """Yield the comments that excuse nothing, though what they name was ``judged``."""
        for each in self._ignored:
            if each not in self._used and judged & {*each.names}:
                yield f"{each.words} excuses nothing any more"


def ignored_in(files: Iterable[Path], names: Callable[[], Sequence[str]]) -> tuple[Ignored, ...]:
    """Return the comments of some files; ``names`` returns those that there are.

    Raises
    ------
    SymmetryError
        If a comment has no names, an unknown one, or no reason.
    """
    return tuple(each for file in files for each in _comments(file, names))


def _comments(file: Path, names: Callable[[], Sequence[str]]) -> Iterator[Ignored]:
    try:
        text = code_in(file)
        if _SIGN not in text:
            return
        tree, tokens = ast.parse(text), [*tokenize.tokenize(io.BytesIO(text).readline)]
    except (OSError, ValueError, SyntaxError, tokenize.TokenError, SymmetryError):
        return  # who imports it says what is wrong
    for token in tokens:
        match = _COMMENT.match(token.string) if token.type == tokenize.COMMENT else None
        if match is not None:
            at, alone = token.start[0], not token.line[: token.start[1]].strip()
            lines = _statement(tree, at + alone)
            comment = Ignored(shorten(str(file.resolve())), at, lines, _names(match[1]), match[2])
            yield _understood(comment, names())


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(filter(None, map(str.strip, (text or "").split(","))))


def _understood(comment: Ignored, names: Sequence[str]) -> Ignored:
    """Return a comment with a reason and known names."""
    reason = comment.reason.strip(" :-")
    if not comment.names:
        raise SymmetryError(f"{comment.words} names nothing: write [NAME] and a reason behind it")
    for name in comment.names:
        if name not in names:
            close = get_close_matches(name, names, 1)
            hint = f", did you mean {close[0]!r}?" if close else ""
            raise SymmetryError(f"{comment.words}: no invariant or note is called {name!r}{hint}")
    if not reason:
        raise SymmetryError(f"{comment.words} has no reason: write one behind it")
    return Ignored(comment.file, comment.at, comment.lines, comment.names, reason)


def _statement(tree: ast.Module, line: int) -> range:
    """Return the lines of the smallest statement at a line; of one with a block, its head."""
    found = range(line, line + 1)
    for node in ast.walk(tree):  # a statement comes before those in it
        if isinstance(node, ast.stmt):
            block = getattr(node, "body", None)
            end = block[0].lineno - 1 if block else (node.end_lineno or node.lineno)
            lines = range(node.lineno, max(end, node.lineno) + 1)
            found = lines if line in lines else found
    return found
