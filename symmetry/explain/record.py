"""What an observer of array operations is told: calls, the arrays in them, and where they stand."""

from __future__ import annotations

import ctypes
import linecache
import os
import sys
import sysconfig
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from symmetry.explain.layout import Layout

_PACKAGE = Path(__file__).parents[1]
_LIBRARIES = ("torch", "numpy", "jax", "jaxlib", "numba")


@dataclass(frozen=True)
class Place:
    """Where the user's code asked for an operation.

    Attributes
    ----------
    file, line
        Of the innermost frame that belongs to no library; an empty name if there is none.
    during
        ``"backward"`` inside of autograd, ``"optimiser"`` inside of a framework's own optimiser,
        else empty.
    """

    file: str
    line: int
    during: str = ""

    @property
    def source(self) -> str:
        """The text of the line, or an empty string where it cannot be read."""
        return linecache.getline(self.file, self.line).strip()

    def __str__(self) -> str:
        return f"{_shorten(self.file)}:{self.line}" if self.file else ""


@dataclass(frozen=True, eq=False)
class Handle:
    """One array of a call.

    Attributes
    ----------
    values
        The numbers, as a view of the framework's own memory wherever that is possible.
    memory
        Address of the block of memory that the array is a part of: the same for all its views.
    alive
        Tells whether that block still exists: a later one may have the same address.
    """

    values: NDArray[Any]
    memory: int
    alive: Callable[[], bool]


@dataclass(frozen=True)
class Geometry:
    """How an array lies in memory; strides are in bytes, the address is that of its first entry."""

    address: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype[Any]

    @classmethod
    def of(cls, values: NDArray[Any]) -> Geometry:
        """Return the geometry of an array."""
        return cls(address(values), values.shape, values.strides, values.dtype)

    @property
    def span(self) -> tuple[int, int]:
        """The addresses of its first byte and of the one behind its last."""
        reach = [(n - 1) * s for n, s in zip(self.shape, self.strides, strict=True)]
        low = self.address + sum(r for r in reach if r < 0)
        return low, self.address + sum(r for r in reach if r > 0) + self.dtype.itemsize

    def view(self) -> NDArray[Any]:
        """Return what is there; whoever calls this must keep the memory alive."""
        low, high = self.span
        content = memoryview((ctypes.c_uint8 * (high - low)).from_address(low))
        return np.ndarray(self.shape, self.dtype, content, self.address - low, self.strides)


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


@dataclass
class Tape:
    """An observer that only remembers names and shapes.

    Attributes
    ----------
    events
        What was done.
    unseen
        The first operation that met an array which nobody was seen making, or None. It is a step's
        own end if the step returns such an array.
    """

    events: list[Event] = field(default_factory=list)
    unseen: str | None = None
    _seen: set[int] = field(default_factory=set)
    _blank: set[int] = field(default_factory=set)
    _marks: set[tuple[Any, ...]] = field(default_factory=set)

    def begin(self, given: Sequence[Handle], layouts: Sequence[tuple[Layout, ...]]) -> None:  # noqa: ARG002
        """Learn of what is given."""
        self._see(given)

    def before(self, call: Call) -> None:
        """Look for operands from nowhere."""
        read = [h for n, h in enumerate(call.operands) if n not in call.written]
        if not call.imports:
            self._meet(read, f"{call.name} at {call.place}")

    def after(self, call: Call, results: Sequence[Handle]) -> dict[int, NDArray[Any]]:
        """Remember one operation."""
        self.events.append(Event.of(call, results))
        self._see(results)
        if call.blank:
            self._blank |= {handle.memory for handle in results}
        self._blank -= {call.operands[position].memory for position in call.written}
        return {}

    def end(self, returned: Sequence[Handle]) -> None:
        """Look for results from nowhere."""
        self._meet(returned, "the end of the step")

    def _see(self, handles: Sequence[Handle]) -> None:
        for handle in handles:
            self._seen |= {handle.memory, address(handle.values)}
            self._marks.add(_mark(handle.values))

    def _meet(self, handles: Sequence[Handle], where: str) -> None:
        for handle in handles:
            known = handle.memory in self._seen and handle.memory not in self._blank
            if not known and handle.values.size > 1 and _mark(handle.values) not in self._marks:
                self.unseen = self.unseen or where
        self._see(handles)


def _mark(values: NDArray[Any]) -> tuple[Any, ...]:
    """Return what a mere copy of an array has in common with it."""
    return values.size, values.flat[0].item(), values.flat[-1].item()


@dataclass(frozen=True)
class Event:
    """One operation in a sequence of them: its name, library and place, and all shapes."""

    name: str
    library: str
    place: Place
    operands: tuple[tuple[int, ...], ...]
    results: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, call: Call, results: Sequence[Handle]) -> Event:
        """Return what there is to remember of a call."""
        operands, made = (
            tuple(handle.values.shape for handle in handles) for handles in (call.operands, results)
        )
        return cls(call.name, call.operation.module, call.place, operands, made)

    @property
    def token(self) -> tuple[Any, ...]:
        """What the same operation has in common in runs of different size."""
        return self.name, self.place, tuple(map(len, self.results))


def address(values: NDArray[Any]) -> int:
    """Return the address of the first entry."""
    return int(values.__array_interface__["data"][0])


def place() -> Place:
    """Return where the innermost code on the stack is that belongs to no library."""
    frame = sys._getframe(1)
    during = ""
    while frame is not None:
        kind = _kind(frame.f_code.co_filename)
        if kind == "user":
            return Place(frame.f_code.co_filename, frame.f_lineno, during)
        during = during or kind
        frame = frame.f_back  # type: ignore[assignment]
    return Place("", 0, during)


def is_user_code(file: str) -> bool:
    """Return whether a file belongs to no library."""
    return _kind(file) == "user"


@cache
def _kind(file: str) -> str:
    """Return "user", or for a library's file the part of training that it says one is in."""
    path = Path(file)
    if path.is_relative_to(_PACKAGE):
        ours = path.relative_to(_PACKAGE).parts
        return "user" if ours[0] in ("network", "trainers") and ours[-1] != "trainer.py" else ""
    for library in _LIBRARIES:
        if f"{os.sep}{library}{os.sep}" in file and "site-packages" in file:
            if f"{os.sep}torch{os.sep}autograd{os.sep}" in file:
                return "backward"
            return "optimiser" if f"{os.sep}torch{os.sep}optim{os.sep}" in file else ""
    standard = path.is_relative_to(sysconfig.get_path("stdlib")) and "site-packages" not in file
    return "" if standard or not path.suffix else "user"


def _shorten(file: str) -> str:
    """Return the path below the working directory or the import path, so that it reads well."""
    path = Path(file)
    for folder in (Path.cwd(), _PACKAGE.parent, *map(Path, filter(None, sys.path))):
        if path.is_relative_to(folder):
            return path.relative_to(folder).as_posix()
    return path.as_posix()
