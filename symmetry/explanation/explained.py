"""The record of an explanation: the operations that split the equal units of a target."""

from dataclasses import dataclass, field
from typing import Literal

from symmetry.base.libraries import Phase
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
    """The deviation of units of one array that should be equal."""

    groups: str  # in words: which units form which group
    ulps: int | None  # the largest distance; None for numbers without ulps
    relative: float  # the largest relative distance
    size: str  # compared with the deviation before: a jump, or of the size of rounding


@dataclass(frozen=True)
class Operand:
    """An array that went into an operation, or came out of it."""

    dtype: str  # as its library calls it
    shape: tuple[int, ...]  # its lengths
    strides: tuple[int, ...]  # in entries, not in bytes
    memory: str  # contiguous, transposed or strided
    units: str  # where its units are, and whether they are equal


@dataclass(frozen=True)
class Culprit:
    """An operation that made equal units different."""

    operation: str  # its name, as in ``aten.mm`` or ``matmul``
    # The line of the user's code that calls it, and its text.
    file: str
    line: int
    source: str
    phase: Phase  # the phase of the training
    module: str  # the path of the module whose forward it belongs to
    # The array of the state that it writes into, in the user's terms; empty if that is not known.
    parameter: str
    rows: str  # which places of that array
    step: int  # the step of the run, from 1
    cause: str  # what it did, in a sentence
    # Its operands, and the array in which the units differ; None if no run was watched.
    operands: tuple[Operand, ...]
    result: Operand | None
    # The deviation of the units in the result; None if no run was watched.
    difference: Difference | None
    # The odd and the usual unit that it was found by; None if it was found without a pair.
    pair: tuple[int, int] | None = None
    remarks: tuple[str, ...] = ()  # where operands come from
    evidence: tuple[str, ...] = ()  # the results of repeating it, and of making its result equal
    # Does it again alone; None if that cannot be written.
    script: ReplayScript | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Explained:
    """The explanation of a target."""

    target: str  # the target's name
    # *nothing split*: equal units stayed equal. *explained*: there is a culprit. *rounding*: what
    # splits the units is of the size of rounding. *another way*: unknown, since the run takes
    # another way when units differ. *not reached*: no operation that was seen splits them.
    # *compiled only*: only the compiled step splits them. *not while observed*: they split, but not
    # while the run was watched. *unequal*: no equal units of the training split, but the culprits
    # make units of layers unequal.
    outcome: Outcome
    steps: int  # how many steps were compared
    step: int | None = None  # the first one after which units differ; None if they stay equal
    units: str = ""  # the name of their group
    array: str = ""  # the array of the state that shows it first
    # How far the units are; None if equal units stay equal, but an exchange of two units that
    # differ does more than exchange them.
    difference: Difference | None = None
    observed: int = 0  # how many array operations were seen
    # The operations that split them, the first one first; one that may be rounding comes last.
    culprits: tuple[Culprit, ...] = ()
    remarks: tuple[str, ...] = ()  # what else a reader should know
    # The layers whose units are unequal, if that is the outcome.
    without_units: tuple[Unequal, ...] = ()
    # Whether a split by rounding is no failure: a training's arrays may differ by rounding.
    excused: bool = False
    threads: str = ""  # the limit of threads under which it was watched, in words

    @property
    def splits(self) -> bool:
        """Whether something makes equal units differ, or a layer's units unequal."""
        if self.excused and self.outcome == "rounding":
            return False
        return self.step is not None or self.outcome == "unequal"
