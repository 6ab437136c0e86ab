"""A failure of the user's code by itself, and the run that shows whether it is one."""

from __future__ import annotations

from dataclasses import dataclass

from symmetry.base.updates import Digests


@dataclass(frozen=True)
class Failure:
    """The exception that ended the user's code, or the status with which it exits."""

    kind: str  # the class of the exception
    text: str  # completes a sentence about the line: "raises ValueError: no"
    file: str | None = None  # of the user's innermost frame, as it is shown
    line: int | None = None

    def repeats(self, other: Failure | None) -> bool:
        """Return whether another run failed at the same line with the same kind of exception."""
        if other is None or self.line is None:
            return False
        return (self.kind, self.file, self.line) == (other.kind, other.file, other.line)


@dataclass(frozen=True)
class PlainRun:
    """A run of a training as its user runs it: nothing is shortened, promoted or observed."""

    failure: Failure | None = None
    is_whole: bool = True  # whether it ended by itself
    updates: tuple[Digests, ...] = ()  # what it held behind its first updates
    killed: str = ""  # how its process ended, if that was before the script did
    why_none: str = ""  # why another failure of it is no fault of the training
