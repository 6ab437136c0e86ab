"""A Python file whose statements can be replaced, moved and added, without changing its other text.

source = Source.read("train.py")
source.moved(clip, before=step)      # returns the new lines; the file stays as it is
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from symmetry.base.notebooks import text_lines

Lines = list[str]
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_SCOPES = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


@dataclass(frozen=True)
class Place:
    """Where a statement stands."""

    parent: ast.AST  # the statement whose block it is in, or the module
    block: Sequence[ast.stmt]
    index: int  # in the block


class Source:
    """The text of a file, its syntax tree, and the place of each statement."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = [*lines]
        self.tree = ast.parse("".join(lines))
        self.places: dict[ast.AST, Place] = {}
        self.parents: dict[ast.AST, ast.AST] = {}
        for node in ast.walk(self.tree):
            for child in ast.iter_child_nodes(node):
                self.parents[child] = node
            for name in ("body", "orelse", "finalbody"):
                block = getattr(node, name, None)
                if isinstance(block, list):
                    for index, statement in enumerate(block):
                        self.places[statement] = Place(node, block, index)

    @classmethod
    def read(cls, file: str) -> Source | None:
        """Read a file; None if it is no Python, or cannot be read."""
        try:
            return cls(text_lines(file))
        except (SyntaxError, ValueError):
            return None

    def text(self, node: ast.AST) -> str:
        """Return the text of a node."""
        return ast.get_source_segment("".join(self.lines), node) or ""

    def around(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield what a node is in, the innermost first."""
        while node in self.parents:
            node = self.parents[node]
            yield node

    def imports(self) -> set[str]:
        """Return the names that imports give to modules and what is in them."""
        return {
            (alias.asname or alias.name).partition(".")[0]
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }

    def statement(self, line: int) -> ast.stmt | None:
        """Return the innermost statement at a line."""
        found = None
        for node in ast.walk(self.tree):  # an outer one comes first
            if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or 0):
                found = node
        return found

    def shares_lines(self, statement: ast.stmt) -> bool:
        """Return whether another statement of its block is in the same line."""
        block = self.places[statement].block
        lines = {statement.lineno, statement.end_lineno}
        return any(s is not statement and {s.lineno, s.end_lineno} & lines for s in block)

    def scope(self, node: ast.AST) -> ast.AST:
        """Return the function or class that a node is in, or the module."""
        return next(each for each in self.around(node) if isinstance(each, _SCOPES))

    def loops(self, node: ast.AST) -> list[ast.stmt]:
        """Return the loops around a node in its own function, the innermost first."""
        found: list[ast.stmt] = []
        for each in self.around(node):
            if isinstance(each, _SCOPES):
                break
            if isinstance(each, _LOOPS):
                found.append(each)
        return found

    def calls(self, node: ast.AST | None = None, name: str = "") -> list[ast.Call]:
        """Return the calls in a node, or in the file, of functions whose last name is this one."""
        found = (n for n in ast.walk(node or self.tree) if isinstance(n, ast.Call))
        return [call for call in found if not name or last_name(call.func) == name]

    def siblings(self, statement: ast.stmt, step: int) -> Iterator[ast.stmt]:
        """Yield the statements of its block behind it, or with -1 before it, the nearest first."""
        place = self.places[statement]
        behind = place.block[place.index + 1 :]
        yield from behind if step > 0 else reversed(place.block[: place.index])

    def replaced(self, node: ast.AST, text: str) -> Lines:
        """Return the lines with another text in the place of an expression or a statement."""
        start = _line(node), int(getattr(node, "col_offset", 0))
        return self._spliced(start, _end(node), text)

    def cut(self, before: ast.expr, last: ast.expr) -> Lines:
        """Return the lines without what is between the ends of two expressions."""
        return self._spliced(_end(before), _end(last), "")

    def _spliced(self, start: tuple[int, int], end: tuple[int, int], text: str) -> Lines:
        before = self.lines[start[0] - 1].encode()[: start[1]].decode()
        behind = self.lines[end[0] - 1].encode()[end[1] :].decode()
        new = f"{before}{text}{behind}".splitlines(keepends=True)
        return [*self.lines[: start[0] - 1], *new, *self.lines[end[0] :]]

    def inserted(self, beside: ast.stmt, *texts: str, behind: bool = False) -> Lines:
        """Return the lines with statements before another one, or behind it."""
        at = _last(beside) if behind else _first(beside) - 1
        new = [f"{self._indent(beside)}{text}\n" for text in texts]
        return [*self.lines[:at], *new, *self.lines[at:]]

    def moved(self, statement: ast.stmt, beside: ast.stmt, *, behind: bool = False) -> Lines:
        """Return the lines with a statement moved before another one, or behind it."""
        first, last = _first(statement) - 1, _last(statement)
        indent, new = self._indent(statement), self._indent(beside)
        own = [new + line.removeprefix(indent) for line in self.lines[first:last]]
        at = _last(beside) if behind else _first(beside) - 1
        lines = self._without(statement)
        if at > first:
            at += len(lines) - len(self.lines)
        return [*lines[:at], *own, *lines[at:]]

    def removed(self, statement: ast.stmt) -> Lines:
        """Return the lines without a statement."""
        return self._without(statement)

    def _without(self, statement: ast.stmt) -> Lines:
        """Return the lines without a statement; one that was alone in its block leaves ``pass``."""
        alone = len(self.places[statement].block) == 1
        rest = [f"{self._indent(statement)}pass\n"] if alone else []
        return [*self.lines[: _first(statement) - 1], *rest, *self.lines[_last(statement) :]]

    def _indent(self, statement: ast.stmt) -> str:
        line = self.lines[_first(statement) - 1]
        return line[: len(line) - len(line.lstrip())]


def last_name(node: ast.AST) -> str:
    """Return the last name of a dotted one: ``softmax`` of ``torch.softmax``."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def calls_of(statement: ast.AST, name: str) -> bool:
    """Return whether a statement itself calls a method of this name, and no block of it does."""
    parts: list[ast.AST] = [statement]
    if hasattr(statement, "body"):
        return False
    while parts:
        node = parts.pop()
        if isinstance(node, ast.Call) and last_name(node.func) == name:
            return True
        parts += ast.iter_child_nodes(node)
    return False


def results_of(statement: ast.AST, kind: type[ast.operator]) -> list[ast.BinOp]:
    """Return the expressions in a statement that an operator of this kind makes."""
    found = (node for node in ast.walk(statement) if isinstance(node, ast.BinOp))
    return [node for node in found if isinstance(node.op, kind)]


def first_of(found: Iterator[ast.stmt], matches: Callable[[ast.stmt], bool]) -> ast.stmt | None:
    """Return the first statement that matches."""
    return next(filter(matches, found), None)


def _line(node: ast.AST) -> int:
    return int(getattr(node, "lineno", 0))


def _first(statement: ast.stmt) -> int:
    """Return its first line, with those of its decorators."""
    decorators = getattr(statement, "decorator_list", [])
    return min(map(_line, (statement, *decorators)))


def _end(node: ast.AST) -> tuple[int, int]:
    return _last(node), int(getattr(node, "end_col_offset", 0) or 0)


def _last(node: ast.AST) -> int:
    return int(getattr(node, "end_lineno", 0) or 0)
