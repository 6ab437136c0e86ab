"""Scripts in a folder of their own, and taking all their steps."""

from __future__ import annotations

import pytest

from symmetry.base.errors import TrainingError
from symmetry.targets import script as targets
from symmetry.training.run import RunSettings
from symmetry.training.target import Training


def script(*words, **options) -> Training:
    """Return the training of a script in the working directory."""
    return targets.script(*words, **options).training


def written(folder, text):
    (folder / "other.py").write_text(text)
    return script("other.py")


def steps_of(training, **options):
    run = training.begin(RunSettings(**options))
    losses: list[float] = []
    with pytest.raises(TrainingError, match="a check takes more"):
        losses.extend(run.loss for _ in run.states(100))
    run.close()
    return losses
