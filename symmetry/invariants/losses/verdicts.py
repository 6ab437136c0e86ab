"""The measurements of laws about losses: each names a line and says why and what to do."""

from __future__ import annotations

from symmetry.law.measurement import Measurement, Violation
from symmetry.law.note import Note
from symmetry.observe.source_line import SourceLine

Notes = tuple[Note, ...]


def violated(
    text: str,
    place: SourceLine,
    array: str,
    *,
    step: int = 0,
    notes: Notes = (),
    mechanism: str = "",
) -> Measurement:
    """Return that a law is violated at this line, in a step counted from 0."""
    file, line = place.reference
    found = Violation(text, step + 1, array, file=file, line=line, mechanism=mechanism)
    return Measurement(True, violation=found, notes=notes)


def note(text: str, place: SourceLine) -> Note:
    """Return a note about a line, under the name of the law."""
    return Note("", text, *place.reference)


def cannot_judge(why: str) -> Measurement:
    """Return that nothing could be judged, and why."""
    return Measurement(counted=False, note=f"cannot judge: {why}")


def not_applicable(why: str) -> Measurement:
    """Return that the law does not speak of this training, and why."""
    return Measurement(counted=False, applies=False, note=why)
