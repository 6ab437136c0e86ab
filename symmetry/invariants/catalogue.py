"""The invariants of trainings, in the order in which they are checked."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

from symmetry.base import ranks
from symmetry.invariants.invariant import TrainingInvariant

# Each file holds one invariant; that of settings one for each setting.
FILES = (
    "training.replicas",
    "ranks.world",
    "ranks.draws",
    "ranks.data",
    "ranks.weights",
    "ranks.schedule",
    "resume.state",
    "resume.batches",
    "symmetry.repeatable",
    "symmetry.permutation",
    "symmetry.clones",
    "symmetry.samples",
    "symmetry.micro_batches",
    "symmetry.stuck",
    "training.eager",
    "training.settings",
    "training.checkpoint",
    "training.padding",
    "training.resume",
    "training.handed_on",
    "training.devices",
    "training.units",
    "training.zero_rate",
    "training.moves",
    "training.frozen",
    "training.lost",
    "training.finite",
    "training.same_noise",
    "training.inplace",
    "loss.inputs",
    "loss.pairs",
    "loss.next_token",
    "loss.padding",
    "loss.scaling",
    "loss.weights",
    "loss.documents",
    "model.evaluation",
    "model.samples",
    "model.functions",
    "model.documents",
    "training.runs",
    "loop.modes",
    "loop.evaluation",
    "loop.copies",
    "loop.loaded",
    "loop.batches",
    "loop.workers",
    "loop.gradients",
    "loss.unused",
    "loop.schedule",
    "loop.attributes",
    "training.gradient",
)


def _invariants_of(file: str) -> tuple[TrainingInvariant, ...]:
    module = import_module(f"symmetry.invariants.{file}")
    several: tuple[TrainingInvariant, ...] = getattr(module, "INVARIANTS", ())
    return several or (module.INVARIANT,)


CATALOGUE = tuple(invariant for file in FILES for invariant in _invariants_of(file))


def catalogue(*, on_ranks: int = 1, resumes: bool = False) -> tuple[TrainingInvariant, ...]:
    """Return the catalogue.

    Several ranks, and resumed runs, are compared by default where there are some.
    """
    several = max(on_ranks, ranks.world()) > 1
    return tuple(
        replace(each, default=several if each.ranks else resumes)
        if each.ranks or each.resumes
        else each
        for each in CATALOGUE
    )
