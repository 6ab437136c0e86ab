"""Sound PyTorch trainings, functions without parameters and scripts; none may be accused."""

from __future__ import annotations

from symmetry.training.target import FunctionTraining
from tests.sound.trainings import (  # noqa: F401
    bases,
    composed,
    evaluation,
    functions,
    losses,
    movement,
    packing,
    padding,
    rounding,
    runs,
    samples,
    settings,
)
from tests.sound.trainings.nearly import ENTRIES, Nearly
from tests.sound.trainings.scripts import SCRIPTS, WITH_TIMM  # noqa: F401
from tests.sound.trainings.steps import SOUND

TARGETS = (*(FunctionTraining(name, make) for name, make in SOUND.items()), *SCRIPTS)
NEARLY: tuple[Nearly, ...] = tuple(ENTRIES)
