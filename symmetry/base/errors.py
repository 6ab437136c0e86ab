"""Exit statuses of the command line, and errors that a user sees as one readable line."""

from __future__ import annotations

from dataclasses import dataclass

OK, FOUND, FAILED, INTERRUPTED = 0, 1, 2, 130


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


class ReadableError(Exception):
    """An error whose message is one readable line.

    Attributes
    ----------
    failure
        What the user's code raised, for comparison with other runs; None if it raised nothing.
    """

    failure: Failure | None = None


class SymmetryError(ReadableError):
    """A request of the user cannot be carried out; the message is one readable line.

    The command line prints it on standard error and exits with status 2.
    """


class Unjudged(SymmetryError):  # noqa: N818
    """An invariant cannot be judged on this machine: a check without it proves too little."""


class BudgetSpent(BaseException):
    """A check has used its CPU seconds. No exception, so that nothing takes it for a failure."""


class TargetError(ReadableError):
    """A target raised, or returned what no step and no training returns.

    The message is one readable line; what the target raised is kept as ``__cause__``.
    """


class TrainingError(TargetError):
    """The function of a training or its step raised, or returned something else."""


class ExtrasError(TrainingError):
    """The extras of a training make no sense: its function has to be corrected first."""


class NotCheckable(TrainingError):  # noqa: N818
    """A training that is written in a way that cannot be checked; it need not be wrong."""


class Disturbed(NotCheckable):
    """A run in which a check changes what the target computes: nothing is said of it."""


class LossNotFinite(TrainingError):  # noqa: N818
    """The loss of one of the first steps is not finite."""
