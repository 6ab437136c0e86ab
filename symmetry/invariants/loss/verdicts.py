"""The verdict on a loss: it names a line and says why and what to do."""

from __future__ import annotations

from symmetry.law.measurement import Measurement, Violation
from symmetry.law.note import Note
from symmetry.observe.source_line import SourceLine


def violated(
    text: str,
    place: SourceLine,
    array: str,
    *,
    step: int = 0,
    notes: tuple[Note, ...] = (),
    mechanism: str = "",
) -> Measurement:
    """Return that a law is violated at this line, in a step counted from 0."""
    file, line = place.reference
    found = Violation(text, step + 1, array, file=file, line=line, mechanism=mechanism)
    return Measurement(True, violation=found, notes=notes)
