"""The names that a file binds when it is imported, read without executing it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_MAY_BE_ONE = (ast.Lambda, ast.Name, ast.Attribute, ast.Subscript)
_TRAINS = {"backward", "fit", "train"}


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
