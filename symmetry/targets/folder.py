"""The scripts in a folder that train with PyTorch, recognised without running them."""

from __future__ import annotations

import ast
from pathlib import Path

_LIBRARIES = {"torch", "lightning", "pytorch_lightning", "transformers", "accelerate"}
_CALLS = {"backward", "fit", "train"}


def training_scripts(folder: Path) -> tuple[str, ...]:
    """Return the names of Python files that use PyTorch and train when they are run, sorted.

    A file that only defines functions and classes is left out: another one imports it.
    """
    return tuple(file.name for file in sorted(folder.glob("*.py")) if _trains(file))


def _trains(file: Path) -> bool:
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, ValueError, SyntaxError):
        return False
    nodes = list(ast.walk(tree))
    libraries = {name.partition(".")[0] for node in nodes for name in _imported(node)}
    calls = {
        node.func.attr
        for node in nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    acts = any(isinstance(node, ast.If | ast.For | ast.While | ast.With) for node in tree.body)
    return acts and bool(libraries & _LIBRARIES) and bool(calls & _CALLS)


def _imported(node: ast.AST) -> tuple[str, ...]:
    if isinstance(node, ast.Import):
        return tuple(alias.name for alias in node.names)
    return (node.module or "",) if isinstance(node, ast.ImportFrom) and not node.level else ()
