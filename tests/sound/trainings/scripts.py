"""Sound scripts, as people have them: each is a file in ``tests/sound/scripts``."""

from __future__ import annotations

from pathlib import Path

from symmetry.torch.script.script import Script
from symmetry.torch.script.source import Source
from symmetry.torch.script.training import ScriptTraining

FOLDER = Path(__file__).parents[1] / "scripts"


def script(file: Path) -> ScriptTraining:
    """Return the training of a script that has its folder for a working directory."""
    return ScriptTraining(file.name, Script(Source(file.name, file, folder=file.parent)))


SCRIPTS = tuple(map(script, sorted(FOLDER.glob("*.py"))))
