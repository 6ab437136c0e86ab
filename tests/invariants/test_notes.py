"""The kinds of notes: each is listed by the invariant whose measure gives it."""

from __future__ import annotations

from collections.abc import Iterator
from pkgutil import walk_packages
from sys import modules

from symmetry import invariants
from symmetry.law.note import Note, NoteKind
from symmetry.observe.source_line import SourceLine
from tests.catalogues import TRAININGS

KINDS = [kind for invariant in TRAININGS for kind in invariant.notes]
OWN = {invariant.name for invariant in TRAININGS}


def defined() -> Iterator[NoteKind]:
    """Yield the kinds that are constants in a file of invariants."""
    for file in walk_packages(invariants.__path__, f"{invariants.__name__}."):
        yield from (
            each for each in vars(modules[file.name]).values() if isinstance(each, NoteKind)
        )


def test_every_kind_is_listed() -> None:
    assert {*defined()} == {*KINDS}


def test_a_name_is_of_one_kind() -> None:
    assert len({kind.name for kind in KINDS}) == len({*KINDS})


def test_a_kind_has_a_meaning_unless_its_invariant_says_it() -> None:
    assert {kind.name for kind in KINDS if not kind.meaning} <= OWN
    assert OWN.isdisjoint(kind.name for kind in KINDS if kind.meaning)


def test_a_note_has_the_name_of_its_kind_and_a_line() -> None:
    kind = NoteKind("loop/late", "It is late.")
    assert kind.at("at last") == Note("loop/late", "at last")
    assert kind.at("at last", SourceLine("train.py", 3)) == Note(
        "loop/late", "at last", "train.py", 3
    )
