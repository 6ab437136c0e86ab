"""``training/inplace``: modules may write into what they are given, or return something new."""

from __future__ import annotations

from dataclasses import replace

from symmetry.invariants.resume import unaffected
from symmetry.law.measurement import Measurement
from symmetry.training.start import TrainingStart

_CURE = (
    "something else reads the tensor that a module with inplace=True has overwritten, as a "
    "residual connection does: use inplace=False there"
)


def inplace(start: TrainingStart) -> Measurement:
    """Compare the run with one whose modules leave what they are given as it is."""
    words, has = "with modules that do not work in place", "module with inplace=True"
    found = unaffected(start, "inplace", words, has)
    if found.violation is None:
        return found
    message = f"{_CURE} ({found.violation.message})"
    return replace(found, violation=replace(found.violation, message=message))
