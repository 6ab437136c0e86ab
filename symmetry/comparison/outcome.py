"""The records of a comparison; everything that is printed or written is read from them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class First:
    """Where a training first differs from the reference.

    Attributes
    ----------
    phase
        ``"data"``, ``"forward"``, ``"loss"``, ``"backward"``, ``"gradient"`` or ``"update"``.
    module
        The path of the module; empty for the model itself, None where no module is meant.
    file, line
        The line of the operation where it is known.
    step
        The step, from 1.
    text
        All of it in words.
    """

    phase: str
    module: str | None
    file: str | None
    line: int | None
    step: int
    text: str


@dataclass(frozen=True)
class Ratio:
    """How far one thing deviates after one step, divided by its response."""

    step: int  # from 1
    phase: str
    name: str
    ratio: float


@dataclass(frozen=True)
class Result:
    """The result of a comparison in one dtype.

    Attributes
    ----------
    dtype
        ``"float32"``: as written; ``"float64"``: promoted.
    step, array, ratio
        Where the largest ratio is, and how large; None where nothing could be judged.
    threshold
        The largest ratio that rounding explains; for two-layer steps on the case of ``ratio``.
    arrays, steps
        How many arrays of the state were judged, in how many steps.
    note
        Why nothing was judged, or a remark.
    cases, case
        For two-layer steps: how many cases were run, and the smallest that differs, in JSON.
    """

    dtype: str
    step: int | None
    array: str | None
    ratio: float | None
    threshold: float
    arrays: int = 0
    steps: int = 0
    note: str = ""
    cases: int = 0
    case: str = ""

    @property
    def differs(self) -> bool:
        """Whether a deviation is larger than rounding explains."""
        return self.ratio is not None and self.ratio > self.threshold


@dataclass(frozen=True)
class Other:
    """The result of the comparison of one training with the reference.

    ``same``: nothing deviates by more than rounding explains; None where nothing could be judged.
    ``error``: why it does not run.
    """

    name: str
    same: bool | None
    first: First | None = None
    results: tuple[Result, ...] = ()
    only_in_reference: tuple[str, ...] = ()
    only_in_other: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    error: str = ""
    ratios: tuple[Ratio, ...] = ()  # of what was watched, in the order in which it happened
    watched: str = ""  # the dtype in which it was


@dataclass(frozen=True)
class Compared:
    """Some trainings, each compared with the same reference."""

    reference: str
    others: tuple[Other, ...]
