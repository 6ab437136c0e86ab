"""The first steps of a training with some arguments: it runs, raises, refuses, or says nothing."""

from __future__ import annotations

import linecache
import math
import re
from dataclasses import dataclass
from typing import Literal

from symmetry.base.errors import TargetError
from symmetry.base.raised import in_one_line, line_of
from symmetry.training.run import RunSettings
from symmetry.training.target import Training

Outcome = Literal["ran", "raised", "refused", "unjudged"]
_INTEGER = re.compile(r"(?<![\w.])\d{1,6}(?![\w.])")
_REFUSALS = (ValueError, AssertionError, SystemExit)


@dataclass(frozen=True)
class SizeOutcome:
    """The outcome of a training's first steps."""

    # *ran*; *raised*: its code raised, or the first loss is not finite; *refused*: making it raised
    # ValueError, AssertionError or SystemExit, which is how a training says that it cannot have a
    # size; *unjudged*: it says nothing, because it diverges or memory is short.
    outcome: Outcome
    message: str = ""  # what was raised, in one line, without its place
    # The line of the user's code that raised, if it is known.
    file: str | None = None
    line: int | None = None
    making: bool = False  # whether the training was not yet made

    @property
    def place(self) -> str:
        """`` (train.py:31)``; empty if the line is not known."""
        return f" ({self.file}:{self.line})" if self.file else ""

    @property
    def integers(self) -> set[int]:
        """The integers of what was raised, and of the line that raised it."""
        code = linecache.getline(self.file, self.line) if self.file and self.line else ""
        return set(map(int, _INTEGER.findall(f"{self.message} {code}")))

    @property
    def cause(self) -> tuple[object, ...]:
        """The kind of error and its line, which all sizes share where one bug raises."""
        return self.message.partition(":")[0], self.file, self.line


def first_steps(training: Training, steps: int, seed: int) -> SizeOutcome:
    """Make a training as it is written and take its first steps."""
    try:
        run = training.begin(RunSettings(seed=seed))
    except TargetError as error:
        return _raised(error, making=True)
    for number in range(steps):
        try:
            run.step()
        except TargetError as error:
            return _raised(error, making=False)
        if run.loss is not None and not math.isfinite(run.loss):
            message = f"the loss of step {number} is {run.loss}"
            return SizeOutcome("unjudged" if number else "raised", message)
    return SizeOutcome("ran")


def _raised(error: TargetError, *, making: bool) -> SizeOutcome:
    """Return the outcome that an error stands for; an error without a cause is our own answer."""
    cause = error.__cause__
    if cause is None:
        return SizeOutcome("unjudged", str(error))
    file, line = line_of(cause) or (None, None)
    outcome: Outcome = "raised"
    if isinstance(cause, MemoryError) or "allocate memory" in str(cause):
        outcome = "unjudged"
    elif making and isinstance(cause, _REFUSALS):
        outcome = "refused"
    return SizeOutcome(outcome, in_one_line(cause), file, line, making)
