"""The names of notes: each is listed by the invariant whose measure gives it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import symmetry
from tests.catalogues import TRAININGS

FOLDER = Path(symmetry.__file__).parent / "invariants"
MAKERS = {"Note", "note", "_note"}


def names_in(tree: ast.AST) -> Iterator[str]:
    """Yield the first arguments of calls that make notes, where these are names of notes."""
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and call.args and isinstance(call.args[0], ast.Constant):
            function = call.func
            maker = function.attr if isinstance(function, ast.Attribute) else function
            maker = maker.id if isinstance(maker, ast.Name) else maker
            if maker in MAKERS and "/" in str(call.args[0].value):
                yield call.args[0].value


def test_every_note_is_listed_and_every_listed_one_can_be_given() -> None:
    given = {
        name for file in FOLDER.rglob("*.py") for name in names_in(ast.parse(file.read_text()))
    }
    listed = {name for invariant in TRAININGS for name in invariant.notes}
    own = {invariant.name for invariant in TRAININGS}  # of notes that their measure leaves nameless
    assert {"loop/frozen", "model/draws"} <= given
    assert given - own == listed - own


def test_a_note_belongs_to_one_invariant() -> None:
    names = [name for invariant in TRAININGS for name in invariant.notes]
    assert len(names) == len({*names})


def test_a_call_that_makes_a_note_is_seen() -> None:
    code = "a.note('x/y', 1)\nNote('x/z')\n_note('p/q', f())\nnote('no name')\nother('x/w')"
    assert sorted(names_in(ast.parse(code))) == ["p/q", "x/y", "x/z"]
