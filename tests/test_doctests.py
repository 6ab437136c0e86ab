"""The examples in docstrings do what they show."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

import symmetry
from tests.conftest import needs

ROOT = Path(symmetry.__file__).parent
FILES = [file for file in sorted(ROOT.rglob("*.py")) if ">>> " in file.read_text()]


def module_of(file: Path) -> str:
    return ".".join(("symmetry", *file.relative_to(ROOT).with_suffix("").parts))


def examples() -> list:
    """Return one parameter a module; those that speak of JAX need it."""
    return [
        pytest.param(module_of(file), marks=[needs("jax")] * ("jax" in file.read_text()))
        for file in FILES
    ]


@pytest.mark.parametrize("name", examples())
def test_examples(name):
    outcome = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert outcome.failed == 0
    assert outcome.attempted > 0
