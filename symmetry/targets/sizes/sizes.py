"""A training runs at every size that it accepts.

Code that works at the size of its author may raise at another one: ``squeeze()`` drops the axis of
a batch of one, ``view(8, -1)`` has the batch size written in, a kernel is wider than the image. A
run at one size cannot show it.

    def training(batch=st.integers(1, 16)):
        ...
            loss = F.mse_loss(model(x).squeeze()[:, None], y)    # raises at batch=1

Cure: name the axis, ``squeeze(1)``. If the training cannot have a size, refuse it where the model
is made, with ``ValueError`` or ``assert``: refused sizes are counted and are no violation.
"""

from __future__ import annotations

import linecache
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from symmetry.base.errors import TargetError
from symmetry.base.raised import in_one_line, line_of
from symmetry.invariants.catalogue import catalogue
from symmetry.invariants.invariant import TrainingInvariant
from symmetry.law.measurement import Measurement, Violation
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


def sizes(trials: Sequence[SizeOutcome]) -> Measurement:
    """Judge the first steps of all examples; those that raise are violations if others run."""
    raised = [trial for trial in trials if trial.outcome == "raised"]
    if not any(trial.outcome == "ran" for trial in trials):
        return Measurement(counted=False, note="no drawn size runs")
    if not raised:
        return Measurement(counted=True)
    return Measurement.violated(violation(raised[0]))


def violation(trial: SizeOutcome) -> Violation:
    """Return the violation that a size raises."""
    is_error = ": " in trial.message or trial.message.isidentifier()
    text = f"raises {trial.message}" if is_error else trial.message
    return Violation(text, 0, "", file=trial.file, line=trial.line)


SIZES = TrainingInvariant(
    name="training/sizes",
    statement="a training that runs with some drawn arguments runs with all that it accepts",
    reason="sizes that a training cannot have are refused as it is made",
    witness="a training that runs",
    cause="a number in the code is right for one size only",
    cure="Compute the number from the shapes, or refuse the size.",
    targets="PyTorch trainings whose arguments are drawn",
    failure="raises at some sizes",
    measure=sizes,
    dtypes=("float32",),
    runs=1,
)


def invariants() -> tuple[TrainingInvariant, ...]:
    """Return the catalogue of a family of trainings."""
    return SIZES, *catalogue()


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
