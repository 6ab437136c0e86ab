"""Branches of a script that are taken on a GPU only, which no run on a CPU takes.

device = "cuda" if torch.cuda.is_available() else "cpu"     no branch: a device is chosen
use_amp = device == "cuda"                                  a flag
with torch.autocast("cpu", enabled=use_amp):                a branch: the flag is read
if torch.cuda.is_available(): model.cuda()                  no branch: a move, or a seed

Where there is no GPU, no check sees what such a branch does.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_MOVES = {"cuda", "to", "device", "manual_seed", "manual_seed_all", "print", "info", "empty_cache"}
_SAME_ON_A_CPU = {"pin_memory", "non_blocking", "device", "map_location"}  # arguments
_FLAGS = {"cudnn", "backends"}


@cache
def has_branches(file: str) -> bool:
    """Return whether the code of a file depends on a GPU by more than its device."""
    try:
        tree = ast.parse(Path(file).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return False
    flags = {name for node in ast.walk(tree) for name in _flags(node, set())}
    flags |= {name for node in ast.walk(tree) for name in _flags(node, flags)}
    return any(_is_branch(node, flags) for node in ast.walk(tree))


def _flags(node: ast.AST, known: set[str]) -> Iterator[str]:
    """Yield the names that hold whether there is a GPU, by an assignment."""
    if isinstance(node, ast.Assign) and _asks(node.value, known) and not _chooses(node.value):
        yield from (name for target in node.targets if (name := _name(target)))


def _is_branch(node: ast.AST, flags: set[str]) -> bool:
    """Return whether a node does something else where there is a GPU."""
    if isinstance(node, ast.If):
        return _asks(node.test, flags) and not all(map(_is_same, [*node.body, *node.orelse]))
    if isinstance(node, ast.IfExp):
        return _asks(node.test, flags) and not _chooses(node)
    if isinstance(node, ast.keyword):
        same = node.arg in _SAME_ON_A_CPU or _chooses(node.value)
        return not same and _asks(node.value, flags)
    return False


def _asks(node: ast.AST, flags: set[str]) -> bool:
    """Return whether the value of an expression depends on whether there is a GPU."""
    return any(_is_flag(each, flags) or _is_question(each) for each in ast.walk(node))


def _is_flag(node: ast.AST, flags: set[str]) -> bool:
    return isinstance(node, ast.Name | ast.Attribute) and _name(node) in flags


def _is_question(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return "cuda" in ast.unparse(node.func) and _name(node.func) in (
            "is_available",
            "device_count",
            "is_bf16_supported",
        )
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        return any(isinstance(s, ast.Constant) and "cuda" in str(s.value) for s in sides)
    return isinstance(node, ast.Attribute) and node.attr == "is_cuda"


def _chooses(node: ast.AST) -> bool:
    """Return whether an expression chooses a device, or a part of one does."""
    found = [each for each in ast.walk(node) if isinstance(each, ast.IfExp)]
    return bool(found) and all(_is_device(f.body) and _is_device(f.orelse) for f in found)


def _is_device(node: ast.AST) -> bool:
    """Return whether an expression is a device, or its name."""
    if isinstance(node, ast.Call):
        return _name(node.func) == "device"
    if isinstance(node, ast.JoinedStr):
        return "cuda" in ast.unparse(node)
    if isinstance(node, ast.IfExp):
        return _is_device(node.body) and _is_device(node.orelse)
    return isinstance(node, ast.Constant) and str(node.value).partition(":")[0] in (
        "cuda",
        "cpu",
        "mps",
        "gpu",
    )


def _is_same(statement: ast.stmt) -> bool:
    """Return whether a statement computes the same on a CPU: a move, a seed, a print."""
    if isinstance(statement, ast.If):
        return all(map(_is_same, [*statement.body, *statement.orelse]))
    if isinstance(statement, ast.Assign):
        is_flag = any(name in ast.unparse(t) for t in statement.targets for name in _FLAGS)
        return is_flag or _is_device(statement.value) or _is_move(statement.value)
    is_call = isinstance(statement, ast.Expr) and _is_move(statement.value)
    return is_call or isinstance(statement, ast.Pass | ast.Raise | ast.Assert)


def _is_move(node: ast.AST) -> bool:
    if isinstance(node, ast.Tuple):
        return all(map(_is_move, node.elts))
    return isinstance(node, ast.Call) and _name(node.func) in _MOVES


def _name(node: ast.AST) -> str:
    """Return the name of a variable, or of an attribute without its object's."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
