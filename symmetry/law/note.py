"""A note: a true fact that is usually, but not always, a mistake. It does not gate by itself.

It has a proof if the supposed mistake is undone, and the training's meaning changes by it.

Example: a penalty is added to the loss as a plain number.

    loss = criterion(model(x), y) + penalty(model).item()    a note: this term trains nothing
    undone: penalty(model) in place of its number            the gradient becomes another one
    so the note fails the check                              unless it is in the loss elsewhere

A note without a proof, or whose proof fails, stays a note.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from symmetry.base.errors import TrainingError
from symmetry.observe.source_line import NOWHERE, SourceLine


@dataclass(frozen=True)
class Excuse:
    """A fact for which an invariant accuses nothing, or gives a note in the place of a violation.

    It is a constant beside the measure, and its invariant lists it.
    """

    name: str  # a few words
    sentence: str  # the fact, and why it excuses


@dataclass(frozen=True)
class Proof:
    """The proof of one note: a run with the mistake undone, and the change that it has to show."""

    note: Note
    text: str  # the condition and the consequence: "with the term itself the gradient changes"
    # Takes the start of the training: it runs it once more, or looks at what is known of it.
    holds: Callable[[Any], bool] = field(compare=False)

    def succeeds(self, start: Any) -> bool:
        """Return whether the training's meaning changes as the mistake would have it."""
        try:
            return self.holds(start)
        except TrainingError:  # the training cannot go on with it undone
            return False


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
