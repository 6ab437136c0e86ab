"""The laws of resumed runs, measured on a script."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from symmetry.law.measurement import Measurement
from symmetry.targets.script import script
from tests.catalogues import TRAININGS

LAWS = {each.name: each for each in TRAININGS if each.name.startswith("resume/")}


def measured(folder: Path, text: str, arguments: Sequence[str] = ()) -> dict[str, Measurement]:
    """Measure the laws on a script of this text, in the working directory."""
    (folder / "train.py").write_text(text)
    training = script("train.py", arguments, resume_with=["--resume"]).training
    start: Any = SimpleNamespace(target=training, seed=0, capabilities=())
    try:
        return {name: law.measured(start) for name, law in LAWS.items()}
    finally:
        training.close()
