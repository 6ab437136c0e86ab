"""Errors of a training's own code in one readable line, and the one that ends a step."""

from functools import partial

from symmetry.base.errors import TrainingError
from symmetry.base.raised import gpu_hint, raised_as


class StepEnded(TrainingError):  # noqa: N818
    """Ends a step where it is; it passes through like any error of a training."""


def _hint(text: str) -> str:
    if text.startswith("TypeError") and "positional argument" in text:
        return "; the step is called as step(i) with the number of the step"
    return gpu_hint(text)


readable = partial(raised_as, TrainingError, hint=_hint)
