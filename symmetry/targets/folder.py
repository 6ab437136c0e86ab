"""The scripts in a folder that train, recognised without running them."""

from __future__ import annotations

import ast
from pathlib import Path

from symmetry.base.errors import SymmetryError
from symmetry.base.libraries import trainers
from symmetry.base.notebooks import SUFFIX, code_in
from symmetry.targets.imports import own_files
from symmetry.targets.syntax import defined_in, imported, read_attributes, tree_of
from symmetry.training import frameworks

_ACTING = (ast.If, ast.For, ast.While, ast.With, ast.Try)
_TESTS = ("test_", "conftest")


def training_scripts(folder: Path) -> tuple[str, ...]:
    """Return the names of Python files and notebooks that train when they are run, sorted.

    A file that only defines functions and classes is left out: another one imports it.
    """
    return tuple(file.name for file in _files(folder) if not why_not(file))


def left_out(folder: Path) -> tuple[str, ...]:
    """Return a line for each file of a folder that is no script that trains, and for its folders.

    Each says why.
    """
    files = [f"{file}: {why}" for file in _files(folder) if (why := why_not(file))]
    below = [
        f"{each}: a folder; to check its scripts, symmetry check {each}"
        for each in sorted(folder.iterdir())
        if each.is_dir() and training_scripts(each)
    ]
    return *files, *below


def _files(folder: Path) -> list[Path]:
    return sorted([*folder.glob("*.py"), *folder.glob(f"*{SUFFIX}")])


def why_not(file: Path) -> str:
    """Say why a file is no script that trains; empty if it is one."""
    if (tree := tree_of(file)) is None:
        return _unreadable(file)
    if file.name.startswith(_TESTS):
        return "it has tests"
    libraries, known = imported(tree), frameworks.registered().items()
    if not any(libraries & (each.imports | trainers(name)) for name, each in known):
        if any(_may_train(other) for _, other in own_files(file)):
            return "a file that it imports may train; to check this one, name it"
        return "it imports no framework that is known"
    if not _may_train(tree):
        return "it calls nothing that trains itself; to check it all the same, name it"
    return "" if _acts(tree) else "it only defines functions and classes, and calls none"


def _may_train(tree: ast.Module) -> bool:
    """Return whether a file calls what trains in a framework that it imports."""
    libraries, calls = imported(tree), read_attributes(tree)
    return any(
        libraries & (each.imports | trainers(name)) and calls & each.calls
        for name, each in frameworks.registered().items()
    )


def _acts(tree: ast.Module) -> bool:
    """Return whether a file does something when it is run, beside definitions."""
    own = {*defined_in(tree), *(n.name for n in tree.body if isinstance(n, ast.FunctionDef))}
    train = frozenset().union(*(each.calls for each in frameworks.registered().values()))
    for statement in tree.body:
        if isinstance(statement, _ACTING):
            return True
        if isinstance(statement, ast.Expr | ast.Assign):
            for call in (n for n in ast.walk(statement.value) if isinstance(n, ast.Call)):
                name = getattr(call.func, "attr", "") or getattr(call.func, "id", "")
                if name in (own if isinstance(call.func, ast.Name) else train):
                    return True
    return False


def _unreadable(file: Path) -> str:
    """Say why a file cannot be read as Python."""
    try:
        ast.parse(code_in(file))
    except SymmetryError as error:
        return str(error).removeprefix(f"{file.name}: ")
    except SyntaxError as error:
        return f"it is not valid Python: {error.msg} (line {error.lineno})"
    except (OSError, ValueError) as error:
        return f"it cannot be read: {error}"
    return "it cannot be read"
