"""Numbers that a script saves: which of them are a place in an epoch."""

from __future__ import annotations

from symmetry.invariants.resume.batches import places_in_epochs
from symmetry.observe.source_line import SourceLine
from symmetry.training.events import Saved


def saves(*numbers: dict[str, int]) -> list[Saved]:
    """Return saves behind 5, 10, 17, 22 updates: epochs of 12 updates, saved after 5 and 10."""
    at, facts = SourceLine("train.py", 9), {"position": True, "model": True, "optimizer": True}
    return [
        Saved(at=at, update=update, keys=tuple(own), numbers=own, **facts)
        for update, own in zip((5, 10, 17, 22), numbers, strict=True)
    ]


def test_a_place_in_the_epoch_begins_anew_under_any_name():
    found = saves(*({"epoch": e, "cursor": c} for e, c in ((0, 5), (0, 10), (1, 5), (1, 10))))
    assert [*places_in_epochs(found)] == ["cursor"]


def test_a_count_of_all_updates_is_none():
    found = saves(*({"epoch": e, "step": s} for e, s in ((0, 5), (0, 10), (1, 17), (1, 22))))
    assert [*places_in_epochs(found)] == []


def test_other_numbers_are_none():
    found = saves(*({"width": 8, "best": b} for b in (3, 9, 1, 2)))
    assert [*places_in_epochs(found)] == []
    assert [*places_in_epochs([])] == []
