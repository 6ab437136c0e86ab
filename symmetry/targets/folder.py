"""The scripts in a folder that train, recognised without running them."""

from __future__ import annotations

import ast
from pathlib import Path

from symmetry.targets.imports import JAX, imported, read_attributes

_TORCH = {"torch", "lightning", "pytorch_lightning", "transformers", "accelerate"}
_CALLS = {"backward", "fit", "train"}
_GRADIENTS = {"grad", "value_and_grad", "filter_grad", "filter_value_and_grad"}


def training_scripts(folder: Path) -> tuple[str, ...]:
    """Return the names of Python files that train with PyTorch or JAX when they are run, sorted.

    A file that only defines functions and classes is left out: another one imports it.
    """
    return tuple(file.name for file in sorted(folder.glob("*.py")) if _trains(file))


def _trains(file: Path) -> bool:
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, ValueError, SyntaxError):
        return False
    libraries, calls = imported(tree), read_attributes(tree)
    acts = any(isinstance(node, ast.If | ast.For | ast.While | ast.With) for node in tree.body)
    trains = (libraries & _TORCH and calls & _CALLS) or (libraries & JAX and calls & _GRADIENTS)
    return acts and bool(trains)
