"""Runs over whole epochs, by file of a script: each is run once for all tests."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from symmetry.invariants.loop.judgement import Judgement
from symmetry.invariants.loop.turns import rows, turns
from symmetry.invariants.training.lost import lost
from symmetry.training.events import Epochs
from symmetry.training.updates import Updates
from tests.catalogues import TRAININGS
from tests.sound.trainings.scripts import script


def judges(kind: str) -> dict[str, Callable[[Any], Judgement]]:
    """Return the functions that judge a record of this kind, by the names of their invariants."""
    inner = {each.name: getattr(each.measure, "__wrapped__", None) for each in TRAININGS}
    return {n: f for n, f in inner.items() if f and kind in f.__annotations__.values()}


LAWS = {**judges("Epochs"), "loop/turns": turns, "training/lost": lost}
UPDATE_LAWS = {**judges("Updates"), "loop/turns": rows}


@cache
def updates_of(file: Path) -> Updates:
    training = script(file)
    updates = training.updates()
    training.close()
    assert updates is not None
    return updates


@cache
def run_of(file: Path) -> Epochs:
    training = script(file)
    epochs = training.epochs()
    training.close()
    assert epochs is not None
    return epochs


def judged(file: Path) -> dict[str, Judgement]:
    """Return the judgements of all laws of the loop, and of updates on a trace, on a script."""
    epochs, updates = run_of(file), updates_of(file)
    found = {name: law(epochs) for name, law in LAWS.items()}
    for name, law in UPDATE_LAWS.items():
        judgement = law(updates)
        before = found.setdefault(name, judgement)
        if before is not judgement:
            before.accusations += judgement.accusations
            before.notes += judgement.notes
            before.spared += judgement.spared
    return found
