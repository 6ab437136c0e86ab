"""The imports, names and functions of a Python file, read without executing it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from symmetry.base.errors import SymmetryError
from symmetry.base.notebooks import code_in

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_MAY_BE_ONE = (ast.Lambda, ast.Name, ast.Attribute, ast.Subscript)
_TRAINS = {"backward", "fit", "train"}
_SHOWN = 3  # names of functions in one line


def tree_of(file: Path) -> ast.Module | None:
    """Return the syntax tree of a file; None if it cannot be read as Python."""
    try:
        return ast.parse(code_in(file))
    except (OSError, ValueError, SyntaxError, SymmetryError):
        return None


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


def defined_in(tree: ast.Module) -> tuple[str, ...]:
    """Return the public functions and classes that a file defines."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    return tuple(n.name for n in tree.body if isinstance(n, kinds) and n.name[0] != "_")


def functions_in(tree: ast.Module) -> set[str] | None:
    """Return the names that may be functions or classes; None if that is not known."""
    found: set[str] = set()
    for node in _at_import(tree):
        if isinstance(node, _FUNCTIONS):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.Assign) and isinstance(node.value, _MAY_BE_ONE):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return None if found & {"*", "__getattr__"} else found


def trains_at_import(tree: ast.Module) -> bool:
    """Return whether a file trains when it is imported, as a script without functions does."""
    called = (node.func for node in _at_import(tree) if isinstance(node, ast.Call))
    return any(isinstance(each, ast.Attribute) and each.attr in _TRAINS for each in called)


def _at_import(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield what an import executes: no bodies of functions, and nothing behind ``__main__``."""
    waiting: list[ast.AST] = [*tree.body]
    while waiting:
        node = waiting.pop(0)
        yield node
        if not (isinstance(node, (*_FUNCTIONS, ast.Lambda)) or _is_guard(node)):
            waiting += ast.iter_child_nodes(node)


def _is_guard(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and any(
        isinstance(each, ast.Name) and each.id == "__name__" for each in ast.walk(node.test)
    )


def meant_instead(path: str, file: Path) -> str:
    """Return which function of a file may be meant, as the end of an error; or nothing."""
    if (tree := tree_of(file)) is None:
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
    run = [node for node in tree.body if not isinstance(node, _FUNCTIONS)]
    calls = (node for each in run for node in ast.walk(each) if isinstance(node, ast.Call))
    return {name.id for call in calls for name in ast.walk(call.func) if isinstance(name, ast.Name)}
