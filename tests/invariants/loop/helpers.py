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
from symmetry.invariants.loop.metrics import metrics
from symmetry.invariants.loop.modes import modes
from symmetry.invariants.loop.observing import observing
from symmetry.invariants.loop.schedule import schedule
from symmetry.invariants.loop.turns import rows, turns
from symmetry.invariants.loop.workers import workers
from symmetry.invariants.loss.groups import groups
from symmetry.invariants.loss.influence import influence
from symmetry.invariants.loss.masks import masks
from symmetry.invariants.loss.same_policy import same_policy
from symmetry.invariants.loss.unused import unused
from symmetry.invariants.training.lost import lost
from symmetry.training.events import Epochs
from symmetry.training.updates import Updates
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
        observing,
        turns,
        metrics,
    )
} | {"loss/unused": unused, "training/lost": lost}


UPDATE_LAWS = {
    "loss/influence": influence,
    "loss/same-policy": same_policy,
    "loss/groups": groups,
    "loss/masks": masks,
    "loop/turns": rows,
}


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
