"""A note: a true fact that is usually, but not always, a mistake. It does not gate by itself."""

from __future__ import annotations

from dataclasses import dataclass

from symmetry.observe.source_line import NOWHERE, SourceLine


@dataclass(frozen=True)
class Note:
    """A true fact about a target that is usually a mistake."""

    name: str  # of its kind
    text: str  # one or two sentences: the fact, and the usual cure
    file: str | None = None  # of the user's code, if the line is known
    line: int | None = None  # from 1


@dataclass(frozen=True)
class NoteKind:
    """A kind of notes: all say the same about different lines.

    It is a constant beside the measure that gives such notes, and its invariant lists it.
    """

    name: str  # family/name, such as loss/scaling: --gate takes it
    meaning: str = ""  # the fact, and the cure; empty if an invariant has the same name
    unless: tuple[str, ...] = ()  # other notes that say the same: it is not said twice
    proof: str = ""  # where it proves itself, and fails the check
    why: str = ""  # why it stays a note, where that has been tried

    def at(self, text: str, line: SourceLine = NOWHERE) -> Note:
        """Return a note of this kind about a line of the user's code."""
        return Note(self.name, text, *line.reference)
