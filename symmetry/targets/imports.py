"""The framework of a script, by what it and the files beside it import."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

JAX = {"jax", "flax", "equinox", "haiku", "optax"}
_TORCH = {"accelerate", "lightning", "pytorch_lightning", "trl"}  # they train with nothing else


def trains_with_jax(file: Path) -> bool:
    """Return whether a script trains with JAX: it imports it, and calls no ``backward``.

    A loop in JAX may take its batches from PyTorch's loaders.
    """
    files = [*_own_files(file)]
    names = {name for each in files for name in imported(each)}
    backward = any("backward" in read_attributes(each) for each in files)
    return bool(names & JAX) and not backward and not names & _TORCH


def _own_files(file: Path) -> Iterator[ast.Module]:
    """Yield a file, and those beside it that it imports, as syntax trees."""
    waiting, seen = [file], set[Path]()
    while waiting:
        seen.add(path := waiting.pop())
        try:
            tree = ast.parse(path.read_bytes())
        except (OSError, ValueError, SyntaxError):
            continue
        yield tree
        for name in imported(tree):
            beside = (file.parent / f"{name}.py", file.parent / name / "__init__.py")
            waiting += [path for path in beside if path.is_file() and path not in seen]


def imported(tree: ast.AST) -> set[str]:
    """Return the first words of the names of the modules that a file imports; no relative ones."""
    found = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def read_attributes(tree: ast.AST) -> set[str]:
    """Return the names of the attributes that a file reads."""
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
