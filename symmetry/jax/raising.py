"""Errors of a training's own code in one readable line."""

from functools import partial

from symmetry.base.errors import TrainingError
from symmetry.base.raised import raised_as


def _hint(text: str) -> str:
    if text.startswith("TypeError") and "positional argument" in text:
        return "; the step is called as step(state, i), with the number of the step or its batch"
    return ""


readable = partial(raised_as, TrainingError, hint=_hint)
