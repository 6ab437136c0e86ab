"""The records of a comparison; everything that is printed or written is read from them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FirstDifference:
    """Where a training first differs from the reference."""

    # ``"data"``, ``"forward"``, ``"loss"``, ``"backward"``, ``"gradient"`` or ``"update"``; over
    # whole epochs also ``"start"`` or ``"loop"``: other parameters, or another order of events.
    phase: str
    # The path of the module; empty for the model itself, None where no module is meant.
    module: str | None
    # The line of the operation where it is known.
    file: str | None
    line: int | None
    step: int  # the step, from 1
    text: str  # all of it in words
    # Over whole epochs: the line of the reference that corresponds.
    reference_file: str | None = None
    reference_line: int | None = None


@dataclass(frozen=True)
class Whole:
    """The result of a comparison over whole, shortened epochs."""

    same: bool | None  # whether they are the same; None if that could not be judged
    first: FirstDifference | None = None  # where they first differ
    # How many updates, and how many calls of models for evaluation, came before that.
    updates: int = 0
    evaluated: int = 0
    numbers: int = 0  # how many outputs, losses and parameters were judged
    # The largest deviation by response; the largest that rounding explains.
    ratio: float | None = None
    threshold: float = 0.0
    ended: str = ""  # why the reference's run ended
    note: str = ""  # why nothing was judged
    # The first losses or outputs that only one of them computes: they are not compared.
    left_out: str = ""
    # The first losses of an evaluation that both compute, in other pieces or otherwise reduced.
    pooled: str = ""


@dataclass(frozen=True)
class Ratio:
    """How far one thing deviates after one step, divided by its response."""

    step: int  # from 1
    phase: str
    name: str
    ratio: float


@dataclass(frozen=True)
class DtypeResult:
    """The result of a comparison in one dtype."""

    dtype: str  # ``"float32"``: as written; ``"float64"``: promoted
    # Where the largest ratio is, and how large; None where nothing could be judged.
    step: int | None
    array: str | None
    ratio: float | None
    # The largest ratio that rounding explains; for two-layer steps on the case of ``ratio``.
    threshold: float
    # How many arrays of the state were judged, in how many steps.
    arrays: int = 0
    steps: int = 0
    note: str = ""  # why nothing was judged, or a remark
    # For two-layer steps: how many cases were run, and the smallest that differs, in JSON.
    cases: int = 0
    case: str = ""

    @property
    def differs(self) -> bool:
        """Whether a deviation is larger than rounding explains."""
        return self.ratio is not None and self.ratio > self.threshold


@dataclass(frozen=True)
class ComparedTraining:
    """The result of the comparison of one training with the reference.

    ``same``: nothing deviates by more than rounding explains; None where nothing could be judged.
    ``error``: why it does not run. ``whole``: what whole epochs showed, if they were asked for.
    """

    name: str
    same: bool | None
    first: FirstDifference | None = None
    results: tuple[DtypeResult, ...] = ()
    only_in_reference: tuple[str, ...] = ()
    only_in_other: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    error: str = ""
    ratios: tuple[Ratio, ...] = ()  # of what was watched, in the order in which it happened
    watched: str = ""  # the dtype in which it was
    whole: Whole | None = None
    arguments: str = ""  # the smallest drawn arguments with which it differs


@dataclass(frozen=True)
class Compared:
    """Some trainings, each compared with the same reference."""

    reference: str
    others: tuple[ComparedTraining, ...]
