"""Sound PyTorch trainings, each a function without parameters; none of them may be accused."""

from __future__ import annotations

from tests.sound.trainings.steps import SOUND

__all__ = ["SOUND"]
