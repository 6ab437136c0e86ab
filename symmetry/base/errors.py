"""Exit statuses of the command line, and errors that a user sees as one readable line."""

OK, FOUND, FAILED, INTERRUPTED = 0, 1, 2, 130


class SymmetryError(Exception):
    """A request of the user cannot be carried out; the message is one readable line.

    The command line prints it on standard error and exits with status 2.
    """


class TargetError(Exception):
    """A target raised, or returned what no step and no training returns.

    The message is one readable line; what the target raised is kept as ``__cause__``.
    """


class TrainingError(TargetError):
    """The function of a training or its step raised, or returned something else."""


class ExtrasError(TrainingError):
    """The extras of a training make no sense: its function has to be corrected first."""


class NotCheckable(TrainingError):  # noqa: N818
    """A training that is written in a way that cannot be checked; it need not be wrong."""


class LossNotFinite(TrainingError):  # noqa: N818
    """The loss of one of the first steps is not finite."""
