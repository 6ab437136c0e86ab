"""The record of what was found about a target; everything printed is read from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from symmetry.culprit.script import Script

Outcome = Literal[
    "nothing split",
    "explained",
    "rounding",
    "another way",
    "not reached",
    "compiled only",
    "not while observed",
]
Phase = Literal["forward", "backward", "optimizer", "other"]


@dataclass(frozen=True)
class Difference:
    """How far units of one array are apart that should be equal."""

    groups: str  # in words: which units form which group
    ulps: int | None  # the largest distance; None for numbers without ulps
    relative: float  # the largest relative distance
    size: str  # against what came before: a jump, or of the size of rounding


@dataclass(frozen=True)
class Operand:
    """An array that went into an operation, or came out of it."""

    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # in entries, not in bytes
    memory: str  # contiguous, transposed or strided
    units: str  # where its units are, and whether they are equal


@dataclass(frozen=True)
class Culprit:
    """An operation that made units different which were equal."""

    operation: str
    file: str  # where the user's code asks for it
    line: int
    source: str  # the text of that line
    phase: Phase  # what the training was at
    module: str  # the path of the module whose forward it belongs to
    parameter: str  # the array of the state that it writes into, in the user's terms, if known
    rows: str  # which places of that
    step: int  # of the run, from 1
    cause: str  # what it did, in a sentence
    operands: tuple[Operand, ...]
    result: Operand
    difference: Difference  # of the result
    remarks: tuple[str, ...] = ()  # where operands come from
    evidence: tuple[str, ...] = ()  # what repeating it, and making its result equal, came to
    script: Script | None = field(default=None, compare=False)  # does it again alone, if it can


@dataclass(frozen=True)
class Explanation:
    """What observing a target came to.

    Attributes
    ----------
    trainer
        The target's name.
    outcome
        *nothing split*: equal units stayed equal. *explained*: there is a culprit. *rounding*: what
        tells units apart is of the size of rounding. *another way*: it cannot be told, the run
        takes another way when units differ. *not reached*: no operation that was seen tells them
        apart. *compiled only*: only the compiled step splits them. *not while observed*: they
        split, but not while the run was watched.
    steps, step
        Steps that were compared; the first one after which units differ, or None.
    units, array, difference
        The name of their group, the array of the state that shows it first, and how far they are.
    observed
        Number of array operations that were seen.
    culprits
        The operations that split them, the first one first; one that may be rounding comes last.
    remarks
        What else a reader should know.
    """

    trainer: str
    outcome: Outcome
    steps: int
    step: int | None = None
    units: str = ""
    array: str = ""
    difference: Difference | None = None
    observed: int = 0
    culprits: tuple[Culprit, ...] = ()
    remarks: tuple[str, ...] = ()
