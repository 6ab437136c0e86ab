"""Schedulers that end within an epoch, from events that are written down here."""

from __future__ import annotations

import math
from dataclasses import fields
from types import SimpleNamespace

import pytest

from symmetry.invariants.loop.judgement import Judgement
from symmetry.invariants.loop.schedules import note_schedules
from symmetry.observe.source_line import SourceLine
from symmetry.training.events import Epochs, Exhausted, Scheduled, Updated


def event(made, /, **facts):
    """Return an event; facts that no note reads are left out."""
    blank = {field.name: () for field in fields(made)}
    return made(**{**blank, "at": SourceLine("train.py", 9), "update": 0, **facts})


def run(rates, *, batches, epochs=1, kind="CosineAnnealingLR"):
    """Return a run of an epoch or more in which each update is followed by a new rate."""
    events = []
    for rate in rates:
        events += [event(Updated), event(Scheduled, kind=kind, rates=(rate,))]
    events += [event(Exhausted, loader=0, iterator=n) for n in range(epochs)]
    loader = SimpleNamespace(number=0, batches=batches)
    return SimpleNamespace(
        events=tuple(events),
        loaders=(loader,),
        training_loaders={0},
        of=lambda kind: tuple(e for e in events if isinstance(e, kind)),
    )


def notes(epochs: Epochs):
    judgement = Judgement()
    note_schedules(epochs, judgement)
    return judgement.notes


COSINE = [0.05 * (1 + math.cos(math.pi * n / 10)) for n in range(1, 21)]


def test_a_rate_that_vanishes_in_the_first_epoch_is_noted_at_its_line():
    (note,) = notes(run(COSINE, batches=100))
    assert note.name == "loop/schedule"
    assert "CosineAnnealingLR is stepped with each batch" in note.text
    assert "after 10 of the 100 batches" in note.text
    assert (note.file, note.line) == ("train.py", 9)


@pytest.mark.parametrize(
    ("rates", "options"),
    [
        ([0.1] * 20, {"batches": 100}),  # never vanishes
        (COSINE[:12], {"batches": 100}),  # the script may be at its end
        (COSINE, {"batches": 15}),  # more than half of the epoch is over
        (COSINE, {"batches": 100, "epochs": 20}),  # one step for each epoch
    ],
)
def test_other_rates_are_not_noted(rates, options):
    assert notes(run(rates, **options)) == []
