"""Broken PyTorch trainings, each named after what is wrong with it and otherwise sound."""

from __future__ import annotations

# The imports fill the list.
from tests.faulty.trainings import (  # noqa: F401
    evaluation,
    functions,
    losses,
    movement,
    packing,
    padding,
    runs,
    samples,
    scripts,
    settings,
    told,
    units,
)
from tests.faulty.trainings.fault import ENTRIES, Fault

FAULTS: tuple[Fault, ...] = tuple(ENTRIES)
TOLD: tuple[told.Told, ...] = tuple(told.ENTRIES)
NOTED = (*losses.NOTED.values(), *scripts.NOTED)  # loss/scaling has a note about them
