"""The functions of a script that does not train: one may be a training, or was to be called."""

from __future__ import annotations

import ast
from pathlib import Path

_SHOWN = 3
_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
_DEFINITIONS = _FUNCTIONS | ast.ClassDef


def meant_instead(path: str, file: Path) -> str:
    """Return which function of a file may be meant, as the end of an error; or nothing."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, ValueError, SyntaxError):
        return ""
    functions = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name[0] != "_"]
    trainings = [each.name for each in functions if _may_be_a_training(each)]
    if trainings:
        targets = " or ".join(repr(f"{path}:{name}") for name in trainings[:_SHOWN])
        return f"; did you mean {targets}?"
    names = [function.name for function in functions]
    if not names or not _called(tree).isdisjoint(names):
        return ""
    return f"; it calls none of its functions ({', '.join(names[:_SHOWN])}): call one at its end"


def _may_be_a_training(function: ast.FunctionDef) -> bool:
    """Return whether it can be called without arguments, and returns several things."""
    given = function.args
    needed = len(given.posonlyargs + given.args) - len(given.defaults)
    needed += sum(default is None for default in given.kw_defaults)
    returned = (node.value for node in ast.walk(function) if isinstance(node, ast.Return))
    return not needed and any(isinstance(value, ast.Tuple) for value in returned)


def _called(tree: ast.Module) -> set[str]:
    """Return the names of functions that a file calls when it is run."""
    run = [node for node in tree.body if not isinstance(node, _DEFINITIONS)]
    calls = (node for each in run for node in ast.walk(each) if isinstance(node, ast.Call))
    return {name.id for call in calls for name in ast.walk(call.func) if isinstance(name, ast.Name)}
