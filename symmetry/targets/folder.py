"""The scripts in a folder that train, recognised without running them."""

from __future__ import annotations

import ast
from pathlib import Path

from symmetry.base.libraries import trainers
from symmetry.targets.syntax import imported, read_attributes, tree_of
from symmetry.training import frameworks


def training_scripts(folder: Path) -> tuple[str, ...]:
    """Return the names of Python files that train when they are run, sorted.

    A file that only defines functions and classes is left out: another one imports it.
    """
    return tuple(file.name for file in sorted(folder.glob("*.py")) if _trains(file))


def _trains(file: Path) -> bool:
    if (tree := tree_of(file)) is None:
        return False
    libraries, calls = imported(tree), read_attributes(tree)
    acts = any(isinstance(node, ast.If | ast.For | ast.While | ast.With) for node in tree.body)
    return acts and any(
        libraries & (framework.imports | trainers(name)) and calls & framework.calls
        for name, framework in frameworks.registered().items()
    )
