"""A framework registers itself with trainings: all around it imports none."""

from __future__ import annotations

import ast
from pathlib import Path

import symmetry

ROOT = Path(symmetry.__file__).parent
FRAMEWORKS = {"torch", "jax", "flax", "tensorflow"}
AROUND = ["units", "finding", "invariants", "checker", "training"]


def imported(path):
    """Return what a module imports, deferred and for types alone included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def modules(folder):
    return {
        ".".join(["symmetry", *path.relative_to(ROOT).with_suffix("").parts]): path
        for path in (ROOT / folder).rglob("*.py")
    }


def of_a_framework():
    """Return the modules that import a framework themselves."""
    return {
        name
        for name, path in modules(".").items()
        if any(each.partition(".")[0] in FRAMEWORKS for each in imported(path))
    }


def test_the_search_the_law_and_the_checker_import_no_framework():
    own = of_a_framework()
    for folder in AROUND:
        for path in (ROOT / folder).rglob("*.py"):
            name = ".".join(["symmetry", *path.relative_to(ROOT).with_suffix("").parts])
            assert name not in own
            assert own.isdisjoint(imported(path)), name


def test_a_framework_registers_itself():
    assert "symmetry.torch.framework" in imported(ROOT / "__init__.py")
    assert "symmetry.training.frameworks" in imported(ROOT / "torch" / "framework.py")
