"""The record of what was found about a training step; everything printed is read from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["nothing broke", "explained", "compiled", "lost", "not while observed"]

Weight = Literal["all", "enough", "unknown"]


@dataclass(frozen=True)
class Asymmetry:
    """How far the units of an array are apart.

    Attributes
    ----------
    groups
        Which units form which group, in words.
    ulps
        Largest distance between units that should be the same; None for numbers without ulps.
    relative
        The same, relative to the numbers.
    """

    groups: str
    ulps: int | None
    relative: float


@dataclass(frozen=True)
class Operand:
    """An array that went into an operation, or came out of it.

    Attributes
    ----------
    dtype, shape, strides
        As NumPy has them; strides are counted in entries, not in bytes.
    memory
        How it lies in memory, in a word: ``contiguous``, ``transposed``, ``strided``.
    units
        Where its hidden units are and whether they are the same, in words; empty where it does not
        matter, because all of it is overwritten.
    written
        Whether the operation writes into it.
    """

    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    memory: str
    units: str
    written: bool = False


@dataclass(frozen=True)
class Named:
    """An operation by its name, and where the code asks for it (empty if that is not known)."""

    name: str
    place: str = ""
    source: str = ""
    during: str = ""


@dataclass(frozen=True)
class Culprit:
    """An operation that made units different which were the same.

    Attributes
    ----------
    operation
        Its name and place.
    iteration
        In which it did so, from 1.
    cause
        What it did, in a sentence.
    operands, result
        The arrays.
    asymmetry
        Of the result.
    remarks
        More sentences: where an operand comes from, how the others were made.
    weight
        How much depends on it, found by making results symmetric in the run: *all*: with this one
        mended the step stays symmetric. *enough*: with all others mended the step still breaks.
        *unknown*: neither could be shown.
    replayed
        What came out when the operation was repeated alone on the same operands, in words.
    reproduced
        Whether its result was asymmetric again.
    script
        Python that shows it by itself; None if none was found.
    script_shows
        What the script printed when it was run, None without a script.
    without_script
        Why there is none.
    """

    operation: Named
    iteration: int
    cause: str
    operands: tuple[Operand, ...]
    result: Operand
    asymmetry: Asymmetry
    remarks: tuple[str, ...]
    weight: Weight
    replayed: str
    reproduced: bool
    script: str | None = None
    script_shows: str | None = None
    without_script: str = ""


@dataclass(frozen=True)
class Explanation:
    """What observing a trainer came to.

    Attributes
    ----------
    trainer
        Its name.
    outcome
        *nothing broke*: all units stayed the same. *explained*: there is a culprit. *compiled*:
        only the compiled step breaks, its operations one by one do not. *lost*: what broke it could
        not be observed. *not while observed*: it broke, but not when it was watched.
    iterations
        Steps that were compared.
    broken
        The first iteration after which units differ, None if there is none.
    matrix
        ``"w1"`` or ``"w2"``, whichever differs (w1 if both do).
    asymmetry
        Of that matrix.
    observed
        Number of array operations that were seen.
    culprits
        The first operation that broke it, and those that break it as well, in the order of the run.
    further
        More of those, about which nothing else is known.
    remarks
        What else a reader should know about the observation.
    """

    trainer: str
    outcome: Outcome
    iterations: int
    broken: int | None = None
    matrix: str | None = None
    asymmetry: Asymmetry | None = None
    observed: int = 0
    culprits: tuple[Culprit, ...] = ()
    further: tuple[Named, ...] = ()
    remarks: tuple[str, ...] = ()
