"""A proof of a note: the supposed mistake is undone, and the training's meaning changes by it.

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
from symmetry.law.note import Note


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
