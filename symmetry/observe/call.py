"""One array operation of any library, and whoever is told of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from symmetry.observe.place import Place
from symmetry.units.state import Array


@dataclass(frozen=True, eq=False)
class Handle:
    """One array of a call.

    Attributes
    ----------
    values
        The numbers, as a view of the framework's own memory wherever NumPy can read it.
    memory
        A number for the block of memory that the array lies in: the same for all views of it.
    alive
        Tells whether that block still exists: a later one may get the same number.
    size
        How many numbers the block holds.
    """

    values: Array
    memory: int
    alive: Callable[[], bool]
    size: int


@dataclass(frozen=True, eq=False)
class Call:
    """One array operation, before it is done.

    Attributes
    ----------
    library
        What a script has to import: ``"torch"``, ``"numpy"`` or ``"jax"``.
    name
        As people know it: ``aten.mm``, ``matmul``, ``dot_general``.
    place
        Where the user's code asked for it.
    operands
        The arrays among its arguments, in their order.
    dtypes
        Those of the operands, as the library calls them.
    written
        Positions of the operands that it writes into.
    random
        Whether its values come from a random number generator.
    blank
        Whether its result is memory that nobody has filled.
    perform
        Takes NumPy arrays for the operands, writes into those that are written, and returns the
        results.
    write
        Takes the names of the operands; returns the call as Python, or None if it cannot.
    """

    library: str
    name: str
    place: Place
    operands: tuple[Handle, ...]
    dtypes: tuple[str, ...]
    written: tuple[int, ...]
    random: bool
    blank: bool
    perform: Callable[[Sequence[Array]], list[Array]]
    write: Callable[[Sequence[str]], str | None]


class Observer(Protocol):
    """Whoever wants to be told of every array operation."""

    def before(self, call: Call) -> None:
        """Look at an operation and its operands."""

    def after(
        self, call: Call, written: Sequence[Handle], results: Sequence[Handle]
    ) -> dict[int, Array]:
        """Look at what it wrote into and what it made; both may be changed in place.

        Returns what results that cannot be changed are to be replaced by, by their position.
        """


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
    if type(template) in (list, tuple):
        return type(template)(fill(value, arrays) for value in template)
    return template


def text(value: Any, names: Sequence[str]) -> str | None:
    """Write an argument in Python; None if that is not possible."""
    if isinstance(value, Slot):
        return names[value.number]
    if type(value) in (list, tuple):
        items = [text(item, names) for item in value]
        inside = ", ".join(map(str, items)) + ("," if len(items) == 1 else "")
        listed = f"[{inside}]" if isinstance(value, list) else f"({inside})"
        return None if None in items else listed
    if isinstance(value, float) and value - value != 0:
        return f'float("{value}")'
    plain = isinstance(value, bool | int | float | str | slice) or value is None
    return repr(value) if plain else "..." if value is ... else None
