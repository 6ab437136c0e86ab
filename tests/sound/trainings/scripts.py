"""Sound scripts, as people have them: each is a file in ``tests/sound/scripts``."""

from __future__ import annotations

from pathlib import Path

from symmetry.trainings.torch.script.script import Script
from symmetry.trainings.torch.script.source import Source
from symmetry.trainings.training import TrainingTarget

FOLDER = Path(__file__).parents[1] / "scripts"
SCRIPTS = tuple(
    TrainingTarget(file.name, Script(Source(file.name, file, folder=FOLDER)))
    for file in sorted(FOLDER.glob("*.py"))
)
