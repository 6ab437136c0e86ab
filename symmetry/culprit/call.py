"""What is told of an array operation, and whoever is told of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from symmetry.culprit.geometry import Handle
from symmetry.culprit.layout import Layout
from symmetry.culprit.place import Place


@dataclass(frozen=True)
class Slot:
    """Stands for the array of this number in the arguments of an operation."""

    number: int


def fill(template: Any, arrays: Sequence[Any]) -> Any:
    """Put arrays in the places of the slots, inside of lists, tuples and dictionaries too."""
    if isinstance(template, Slot):
        return arrays[template.number]
    if isinstance(template, dict):
        return {key: fill(value, arrays) for key, value in template.items()}
    if isinstance(template, list | tuple):
        return type(template)([fill(value, arrays) for value in template])
    return template


@dataclass(frozen=True)
class Operation:
    """How to do the call again, with other arrays of the same kind.

    Attributes
    ----------
    perform
        Takes NumPy arrays for the slots, which in-place operations change, and returns the results.
    write
        Takes the names of the slots and returns the call as a line of Python, or None if nobody
        can write it down.
    module
        What a script has to import: ``"torch"``, ``"numpy"`` or ``"jax"``.
    dtypes
        Of the arrays for the slots, as that library calls them.
    """

    perform: Callable[[Sequence[NDArray[Any]]], list[NDArray[Any]]]
    write: Callable[[Sequence[str]], str | None]
    module: str
    dtypes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Call:
    """One array operation, before it is done.

    Attributes
    ----------
    name
        As people know it: ``aten.mm``, ``matmul``, ``dot_general``.
    place
        Where the user's code asked for it.
    operands
        The arrays among its arguments, in their order.
    written
        Positions of those that the operation writes into.
    overwritten
        Those are written whole, whatever they held.
    views
        The result is a view of an operand: nothing is computed.
    blank
        The result is memory that nobody has filled.
    shaped
        Only the shapes of the operands matter, not their values.
    random
        The values come from a random number generator.
    imports
        The operand is a copy of something that Python or NumPy had; making it cannot be observed.
    joined
        The result is made of the operands side by side, along this axis (a new one if ``stacked``).
    operation
        How to do it again.
    """

    name: str
    place: Place
    operands: tuple[Handle, ...]
    operation: Operation
    written: tuple[int, ...] = ()
    overwritten: bool = False
    views: bool = False
    blank: bool = False
    shaped: bool = False
    random: bool = False
    imports: bool = False
    joined: int | None = None
    stacked: bool = False


class Observer(Protocol):
    """Whoever wants to be told of every array operation of a step."""

    def begin(self, given: Sequence[Handle], layouts: Sequence[tuple[Layout, ...]]) -> None:
        """Learn of the arrays that a step is given, and where the hidden units are in them."""

    def before(self, call: Call) -> None:
        """Learn of an operation and its operands; they may be changed here."""

    def after(self, call: Call, results: Sequence[Handle]) -> dict[int, NDArray[Any]]:
        """Learn of its results, which may be changed in place.

        Returns what read-only results are to be replaced by, by their position.
        """

    def end(self, returned: Sequence[Handle]) -> None:
        """Learn of the arrays that a step returns."""
