"""An operation that made units different which were the same, and how it came to that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from symmetry.culprit.explanation import Asymmetry
from symmetry.culprit.layout import Layout
from symmetry.culprit.place import Place

Origin = Literal["made", "unseen", "part", "cut"]
Kind = Literal["operation", "random", "operand", "write"]


@dataclass(frozen=True)
class Target:
    """Where the asymmetry shows: in a result, or in the memory that an operand is written to."""

    side: Literal["result", "memory"]
    position: int


@dataclass(frozen=True)
class Suspect:
    """An operation that made units different which were the same.

    Attributes
    ----------
    index
        Number of the operation in the run.
    kind
        *operation*: all operands were the same for all like units. *random*: its values come from
        a random number generator. *operand*: it brings symmetric data together with something that
        differs between the units. *write*: it writes into a part of an array.
    target, layout
        Where the difference shows, and how the units lie there.
    asymmetry
        How far they are apart.
    foreign
        Positions of the operands that differ between the units already.
    touched
        The units that were written to by this line of code, if only some were.
    pair
        For units that were made one by one or in blocks: the operations that made an odd unit and
        one of the others.
    units
        The numbers of those two.
    """

    index: int
    kind: Kind
    target: Target
    layout: Layout
    asymmetry: Asymmetry
    foreign: tuple[Foreign, ...] = ()
    touched: frozenset[int] | None = None
    pair: tuple[int, int] | None = None
    units: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Foreign:
    """An operand whose units differ already.

    Attributes
    ----------
    position
        Of the operand.
    origin
        *made*: an observed operation made it, without the data. *unseen*: it comes from code that
        is not observed. *part*: the array is symmetric, but this part of it holds something else
        than one entry for each unit. *cut*: it was cut out of an array in which no axis seemed to
        belong to the units.
    index
        The operation that made or last wrote it; for *unseen* the one that first met it.
    """

    position: int
    origin: Origin
    index: int | None


GIVEN = -1  # stands for the operation that made what a step is given


@dataclass(frozen=True)
class Step:
    """What is kept of every operation: which ones made its operands, for one.

    The maker of an operand is None where it was not observed.
    """

    name: str
    place: Place
    iteration: int
    makers: tuple[int | None, ...]
    written: tuple[int, ...]
