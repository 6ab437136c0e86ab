"""Arguments with which a family of trainings was run, as all output shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Smallest:
    """The smallest arguments that still violate an invariant."""

    arguments: str  # all of them in one line: ``hidden=3 batch=1``
    target: str  # the name of the training that has them; empty if it cannot be typed
    alone: bool = True  # whether the invariant can be checked on this training alone
    # The argument that matters, and a larger one that does not violate it, in words; empty if
    # larger ones violate it, too.
    where: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)  # the arguments by name

    def in_words(self) -> str:
        """Return all of it in one line."""
        smallest = f"smallest arguments: {self.arguments}"
        return f"{self.where}; {smallest}" if self.where else smallest


@dataclass(frozen=True)
class TriedSizes:
    """The search over a family of trainings."""

    tried: tuple[str, ...]  # the arguments with which it ran, in the order in which they were tried
    # How many were refused, and the training's first reason.
    refused: int = 0
    refusal: str = ""
    # How many were not judged, because a run with them says nothing, and the first reason.
    unjudged: int = 0
    why: str = ""
    spans: tuple[str, ...] = ()  # the values of each argument that were tried, in words

    @property
    def number(self) -> int:
        """How many sets of arguments there were."""
        return len(self.tried) + self.refused + self.unjudged

    def lines(self) -> tuple[str, ...]:
        """Return what was tried, in lines."""
        first = f"tried {len(self.tried)} of {self.number} drawn sizes: {', '.join(self.spans)}"
        lines = [first if self.tried else f"tried none of {self.number} drawn sizes"]
        if self.refused:
            lines.append(f"refused by the training: {self.refused} ({self.refusal})")
        if self.refused > 0.9 * self.number:
            lines.append("more than nine of ten were refused: narrow what is drawn")
        if self.unjudged:
            lines.append(f"not judged: {self.unjudged} ({self.why})")
        return tuple(lines)
