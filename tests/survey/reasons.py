"""Why a model of the survey is not sound: what a person found who looked into it."""

from __future__ import annotations

from dataclasses import dataclass

BUG = "bug of the library"
PROPERTY = "property of the architecture"
WEAKNESS = "weakness of this tool"


@dataclass(frozen=True)
class Reason:
    """The class of a finding, and what was found, in a sentence."""

    kind: str
    text: str


REASONS: dict[str, Reason] = {}
