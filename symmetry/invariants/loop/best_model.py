"""A best model that is only another name for the model, read off the lines of a loop.

for epoch in range(epochs):
    train(model)
    loss = validate(model)
    if loss < best:                      a score that is kept
        best, best_model = loss, model   and a model that the next epoch trains on
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from itertools import chain
from typing import NamedTuple

_LOOPS = (ast.For, ast.While)
_ORDERS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)


class Kept(NamedTuple):
    """A line that gives the model another name."""

    line: int
    name: str
    model: str


def kept_by_name(text: str, models: Collection[str]) -> Iterator[Kept]:
    """Yield where one of these variables is kept with the best score, in a loop that goes on.

    A loop that makes the model anew each time, as one over settings, keeps another one each time.

    Raises
    ------
    SyntaxError
        If the text is no Python.
    """
    for loop in ast.walk(ast.parse(text)):
        if not isinstance(loop, _LOOPS):
            continue
        made = {ast.unparse(target) for target in _stored(loop)}
        for branch in (node for node in ast.walk(loop) if isinstance(node, ast.If)):
            pairs = [*chain.from_iterable(map(_pairs, branch.body))]
            if not any(_is_score(branch.test, *pair) for pair in pairs):
                continue
            for target, value in pairs:
                name, model = ast.unparse(target), ast.unparse(value)
                if name != model and model not in made and model.rpartition(".")[2] in models:
                    yield Kept(value.lineno, name, model)


def _stored(loop: ast.For | ast.While) -> Iterator[ast.AST]:
    """Yield what a loop assigns to, its own target included."""
    for node in ast.walk(loop):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node


def _pairs(statement: ast.stmt) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield each target of an assignment with its value."""
    if not isinstance(statement, ast.Assign):
        return
    value = statement.value
    for target in statement.targets:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            yield from zip(target.elts, value.elts, strict=False)
        else:
            yield target, value


def _is_score(test: ast.expr, target: ast.expr, value: ast.expr) -> bool:
    """Return whether an assignment keeps the better one of two that a condition compares."""
    if not (isinstance(test, ast.Compare) and isinstance(test.ops[0], _ORDERS)):
        return False
    sides = {ast.unparse(test.left), ast.unparse(test.comparators[0])}
    return len(test.ops) == 1 and sides == {ast.unparse(target), ast.unparse(value)}
