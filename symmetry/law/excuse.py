"""An excuse: a fact for which an invariant does not accuse. It has a sentence that is printed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Excuse:
    """A fact for which an invariant accuses nothing, or gives a note in the place of a violation.

    It is a constant beside the measure, and its invariant lists it.
    """

    name: str  # a few words
    sentence: str  # the fact, and why it excuses
