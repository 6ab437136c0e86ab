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
    """How far units of one array are apart that should be equal.

    ``groups`` says in words which units form which group; ``ulps`` is the largest distance (None
    for numbers without ulps), ``relative`` the largest relative one, and ``size`` what that is
    against what came before: a jump, or of the size of rounding.
    """

    groups: str
    ulps: int | None
    relative: float
    size: str


@dataclass(frozen=True)
class Operand:
    """An array that went into an operation, or came out of it.

    ``strides`` are counted in entries, not in bytes; ``memory`` is *contiguous*, *transposed* or
    *strided*; ``units`` says where its units are and whether they are equal.
    """

    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    memory: str
    units: str


@dataclass(frozen=True)
class Culprit:
    """An operation that made units different which were equal.

    Attributes
    ----------
    operation
        Its name.
    file, line, source
        Where the user's code asks for it; the text of that line.
    phase, module
        What the training was at; the path of the module whose forward it belongs to.
    parameter, rows
        The array of the state that it writes into, in the user's terms, and which places of it are
        meant; empty if that is not known.
    step
        In which step of the run, from 1.
    cause
        What it did, in a sentence.
    operands, result
        The arrays.
    difference
        Of the result.
    remarks, evidence
        Where operands come from; what doing it again alone, and mending its result in the run, came
        to.
    script
        Does it again alone; None if it cannot be written down.
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
    result: Operand
    difference: Difference
    remarks: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    script: Script | None = field(default=None, compare=False)


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
