"""A note: a true fact that is usually, but not always, a mistake. It does not gate by itself."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Note:
    """A true fact about a target that is usually a mistake.

    Attributes
    ----------
    name
        ``family/name``, such as ``loss/scaling``: ``--gate`` takes it. Measures may leave it empty:
        then it is the name of the invariant.
    text
        One or two sentences: the fact, and the usual cure.
    file, line
        The line of the user's code, if it is known.
    """

    name: str
    text: str
    file: str | None = None
    line: int | None = None
