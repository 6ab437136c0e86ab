"""Runs over whole epochs, by file of a script: each is run once for all tests."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from symmetry.invariants.loop.attributes import attributes
from symmetry.invariants.loop.batches import batches
from symmetry.invariants.loop.copies import copies
from symmetry.invariants.loop.evaluation import evaluation
from symmetry.invariants.loop.gradients import gradients
from symmetry.invariants.loop.judgement import Judgement
from symmetry.invariants.loop.loaded import loaded
from symmetry.invariants.loop.modes import modes
from symmetry.invariants.loop.schedule import schedule
from symmetry.invariants.loop.workers import workers
from symmetry.invariants.loss.unused import unused
from symmetry.invariants.training.lost import lost
from symmetry.training.events import Epochs
from tests.sound.trainings.scripts import script

LAWS = {
    f"loop/{law.__name__}": law
    for law in (
        modes,
        evaluation,
        copies,
        loaded,
        batches,
        workers,
        gradients,
        schedule,
        attributes,
    )
} | {"loss/unused": unused, "training/lost": lost}


@cache
def run_of(file: Path) -> Epochs:
    training = script(file)
    epochs = training.epochs()
    training.close()
    assert epochs is not None
    return epochs


def judged(epochs: Epochs) -> dict[str, Judgement]:
    return {name: law(epochs) for name, law in LAWS.items()}
