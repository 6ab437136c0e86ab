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

    Attributes
    ----------
    groups
        Which units form which group, in words.
    ulps
        The largest distance; None for numbers without ulps.
    relative
        The largest relative distance.
    size
        What it is against what came before, in words: a jump, or of the size of rounding.
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
    dtype, shape, strides
        As the library has them; strides are counted in entries, not in bytes.
    memory
        How it lies in memory, in a word: ``contiguous``, ``transposed``, ``strided``.
    units
        Where its units are and whether they are equal, in words.
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
    file, line
        Where the user's code asks for it.
    source
        The text of that line.
    phase
        What the training was at.
    module
        The path of the module whose forward it belongs to; empty if there is none.
    parameter
        The array of the state that it writes into or computes, in the user's terms; empty if it is
        none.
    rows
        Which places of it hold other units than most, in words; empty if that is not known.
    step
        In which step of the run, from 1.
    cause
        What it did, in a sentence.
    operands, result
        The arrays.
    difference
        Of the result.
    remarks
        More sentences, such as where an operand comes from.
    evidence
        What doing it again alone, and mending its result in the run, came to.
    script
        Python that does it again alone, from operands that are saved beside it; None if it cannot
        be written down.
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
        Its name.
    outcome
        *nothing split*: equal units stayed equal. *explained*: there is a culprit. *rounding*: what
        tells units apart is of the size of rounding. *another way*: it cannot be told, the run
        takes another way when units differ. *not reached*: no operation that was seen tells them
        apart. *compiled only*: only the compiled step splits them. *not while observed*: they
        split, but not while the run was watched.
    steps
        Steps that were compared.
    step
        The first step after which units differ, None if there is none.
    units
        The name of their group.
    array
        The array of the state that shows it first.
    difference
        Of the units in it.
    observed
        Number of array operations that were seen.
    culprits
        The operations that split them, the first one first; if some jump, those that do not come
        after them.
    remarks
        What else a reader should know about the observation.
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
