"""The record of an explanation: the operations that split the equal units of a target."""

from dataclasses import dataclass, field
from typing import Literal

from symmetry.base.user_code import Phase
from symmetry.explanation.operation.repetition import ReplayScript
from symmetry.finding.coverage import Unequal

Outcome = Literal[
    "nothing split",
    "explained",
    "rounding",
    "another way",
    "not reached",
    "compiled only",
    "not while observed",
    "unequal",
]


@dataclass(frozen=True)
class Difference:
    """The deviation of units of one array that should be equal.

    Attributes
    ----------
    groups
        In words: which units form which group.
    ulps
        The largest distance; None for numbers without ulps.
    relative
        The largest relative distance.
    size
        Compared with the deviation before: a jump, or of the size of rounding.
    """

    groups: str
    ulps: int | None
    relative: float
    size: str


@dataclass(frozen=True)
class Operand:
    """An array that went into an operation, or came out of it.

    Attributes
    ----------
    dtype
        As its library calls it.
    shape
        Its lengths.
    strides
        In entries, not in bytes.
    memory
        Contiguous, transposed or strided.
    units
        Where its units are, and whether they are equal.
    """

    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    memory: str
    units: str


@dataclass(frozen=True)
class Culprit:
    """An operation that made equal units different.

    Attributes
    ----------
    operation
        Its name, as in ``aten.mm`` or ``matmul``.
    file, line, source
        The line of the user's code that calls it, and its text.
    phase
        The phase of the training.
    module
        The path of the module whose forward it belongs to.
    parameter
        The array of the state that it writes into, in the user's terms; empty if that is not known.
    rows
        Which places of that array.
    step
        The step of the run, from 1.
    cause
        What it did, in a sentence.
    operands, result
        Its operands, and the array in which the units differ; None if no run was
        watched.
    difference
        The deviation of the units in the result; None if no run was watched.
    remarks
        Where operands come from.
    evidence
        The results of repeating it, and of making its result equal.
    script
        Does it again alone; None if that cannot be written.
    """

    operation: str
    file: str
    line: int
    source: str
    phase: Phase
    module: str
    parameter: str
    rows: str
    step: int
    cause: str
    operands: tuple[Operand, ...]
    result: Operand | None
    difference: Difference | None
    remarks: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    script: ReplayScript | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Explained:
    """The explanation of a target.

    Attributes
    ----------
    target
        The target's name.
    outcome
        *nothing split*: equal units stayed equal. *explained*: there is a culprit. *rounding*: what
        splits the units is of the size of rounding. *another way*: unknown, since the run takes
        another way when units differ. *not reached*: no operation that was seen splits them.
        *compiled only*: only the compiled step splits them. *not while observed*: they split, but
        not while the run was watched. *unequal*: no equal units of the training split, but the
        culprits make units of layers unequal.
    steps
        How many steps were compared.
    step
        The first one after which units differ; None if they stay equal.
    units
        The name of their group.
    array
        The array of the state that shows it first.
    difference
        How far the units are; None if equal units stay equal, but an exchange of two units that
        differ does more than exchange them.
    observed
        How many array operations were seen.
    culprits
        The operations that split them, the first one first; one that may be rounding comes last.
    remarks
        What else a reader should know.
    without_units
        The layers whose units are unequal, if that is the outcome.
    excused
        Whether a split by rounding is no failure: a training's arrays may differ by rounding.
    threads
        The limit of threads under which it was watched, in words.
    """

    target: str
    outcome: Outcome
    steps: int
    step: int | None = None
    units: str = ""
    array: str = ""
    difference: Difference | None = None
    observed: int = 0
    culprits: tuple[Culprit, ...] = ()
    remarks: tuple[str, ...] = ()
    without_units: tuple[Unequal, ...] = ()
    excused: bool = False
    threads: str = ""

    @property
    def splits(self) -> bool:
        """Whether something makes equal units differ, or a layer's units unequal."""
        if self.excused and self.outcome == "rounding":
            return False
        return self.step is not None or self.outcome == "unequal"
