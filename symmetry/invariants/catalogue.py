"""The invariants of trainings, in the order in which they are checked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fnmatch import fnmatchcase
from importlib import import_module

from symmetry.base import ranks
from symmetry.invariants.invariant import TrainingInvariant

# Each file holds one invariant, but for settings, which holds one for each setting.
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
    "loss.influence",
    "loss.same_policy",
    "loss.groups",
    "loss.masks",
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
    "loop.observing",
    "loop.turns",
    "loop.metrics",
    "training.gradient",
)

# The order of a check with a budget: by the faults that a CPU second catches. The faults are those
# of tests/faulty (reports/faults.jsonl at commit a12e95b1); the seconds were measured for each part
# of the checks of eight small scripts in PyTorch, at that commit. Invariants that share
# runs stand together: the first of them makes the runs.
BUDGETED = (
    "training.replicas",  # what an option asks for, and what runs first
    *("ranks.*", "resume.*"),
    "symmetry.repeatable",  # nothing else is judged if it is violated
    *("loss.[!uw]*", "model.[!s]*"),  # 17 a second: what needs no run of its own
    *("training.frozen", "training.zero_rate", "training.moves", "training.lost"),  # 8
    *("training.finite", "training.handed_on", "training.same_noise", "training.devices"),
    *("loss.*", "training.runs", "loop.*"),  # 5: one run over epochs
    *("training.resume", "model.*"),  # 3 and 2
    # 2: what is compared by the response; the search for units takes most of the seconds.
    *("symmetry.samples", "symmetry.micro_batches", "training.padding", "training.inplace"),
    *("training.settings", "training.checkpoint", "training.eager"),
    *("symmetry.permutation", "symmetry.clones", "symmetry.stuck", "training.units"),
    "*",
)


def _invariants_of(file: str) -> tuple[TrainingInvariant, ...]:
    module = import_module(f"symmetry.invariants.{file}")
    several: tuple[TrainingInvariant, ...] = getattr(module, "INVARIANTS", ())
    return several or (module.INVARIANT,)


CATALOGUE = tuple(invariant for file in FILES for invariant in _invariants_of(file))
_FILE_OF = {invariant.name: file for file in FILES for invariant in _invariants_of(file)}


def budgeted(invariants: Iterable[TrainingInvariant]) -> tuple[TrainingInvariant, ...]:
    """Return invariants in the order of a check with a budget."""

    def place(invariant: TrainingInvariant) -> int:
        file = _FILE_OF[invariant.name]
        return next(i for i, pattern in enumerate(BUDGETED) if fnmatchcase(file, pattern))

    return tuple(sorted(invariants, key=place))


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
