"""Libraries that scripts compute or train with: each registers itself.

A library stands above this floor, and is imported by its users, never from here: functions of one
that is not imported are not called.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Literal, Protocol

Phase = Literal["forward", "backward", "optimizer", "other"]
# A function that seeds a generator without a seed: its owner and its name, a call with a seed, and
# the same with a seed.
Seeding = tuple[Any, str, str, Callable[[int], Any]]
Kept = tuple[str, str, str]  # a module, a class in it, and an attribute


def emptied(now: Any) -> Any:
    """Return what a collection is in a process that has begun nothing."""
    return type(now)()


def _nothing() -> Sequence[Any]:
    return ()


class Nodes(Protocol):
    """The numbers of the nodes of a library's graphs: a backward passes those of its forward."""

    def running(self) -> int | None:
        """Return the node whose derivative is computed now."""

    def last(self) -> int:
        """Return the node that was made last."""


@dataclass(frozen=True)
class Launcher:
    """Starts several processes that train together."""

    name: str  # of its command
    command: str  # a format with the number of processes, and the module that each runs
    marker: str  # a variable of the environment that it sets, beside WORLD_SIZE and RANK
    seeding: str  # a call that seeds each of them with a number of its own


@dataclass(frozen=True)
class Replay:
    """How a script performs one of its operations again."""

    imports: str  # a line, such as ``import numpy as np``; empty for NumPy, which is always there
    seed: str  # a line that seeds its random numbers
    # Returns the expression of an array, from the expression of a NumPy array and a dtype.
    array: Callable[[str, str], str]
    result: str  # an expression of the result as a NumPy array


@dataclass(frozen=True, kw_only=True)
class Library:
    """A library that scripts compute or train with."""

    imports: tuple[str, ...]  # the first words of its imports
    title: str = ""  # its name in texts, if it has random numbers that all code shares
    trains_with: str = ""  # the framework that it is a trainer of, by its import
    decides: bool = False  # whether a script that imports it trains with nothing else
    packages: frozenset[str] = frozenset()  # whose files are nothing that a user has installed
    # The phase of a training that code below a folder belongs to: {"torch/optim": "optimizer"}.
    phases: Mapping[str, Phase] = field(default_factory=dict)
    # Files of this package that call the user's step: any function of it, or the one of this name.
    callers: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    # Functions that write files without Python's open: a module, a name, and the number of the
    # argument that is the path, from 0.
    writers: tuple[tuple[str, str, int], ...] = ()
    # The same of functions that are given a folder, in which they read and write.
    folders: tuple[tuple[str, str, int], ...] = ()
    # Variables of the environment that name folders of its cache, which all scripts share.
    homes: tuple[str, ...] = ()
    # Variables with which it keeps compiled programs in a {folder} from check to check. It has to
    # find a program by all that has made it.
    programs: Mapping[str, str] = field(default_factory=dict)
    # State of its classes in a process, with what it is in a process that has begun nothing.
    kept: Mapping[Kept, Callable[[Any], Any]] = field(default_factory=dict)
    # Its functions that bring a resumed script back to its place in the data: a module, a class or
    # "", a name; with how they do so, in words.
    promises: Mapping[Kept, str] = field(default_factory=dict)
    # Functions that write a checkpoint, its own or those of libraries beside it: a module, a class
    # or "", a name.
    saves: tuple[Kept, ...] = ()
    # How many batches an update takes in a loop that ends where ``len`` says, by the frame that
    # reads it; None if its loops do not end there.
    update: Callable[[FrameType], int] | None = None
    # Returns the function that trains with its own objects, as a trainer; None for other objects.
    loop: Callable[[Any], Callable[[], Any] | None] = lambda _: None

    generators: Callable[[], Sequence[Any]] = _nothing  # that all code shares
    seed: Callable[[int], None] = lambda _: None  # seeds these
    seedings: Callable[[], Sequence[Seeding]] = _nothing  # of these and others
    seeders: Callable[[], Sequence[tuple[Any, str]]] = _nothing  # seed with a number: owner, name
    one_thread: Callable[[], Callable[[], None]] | None = None  # returns what restores the number
    threads: str = ""  # what cannot be limited, in words
    # The nodes of its graphs, by number: the one whose derivative is computed now, and the last one
    # that was made.
    nodes: Nodes | None = None
    observed: str = ""  # what an explanation says of its operations
    has_compiled: Callable[[], bool] = lambda: False  # operations, which no explanation has seen
    replay: Replay | None = None
    launcher: Launcher | None = None
    idle: tuple[str, ...] = ()  # what does nothing where a script runs on another device

    @property
    def is_imported(self) -> bool:
        """Whether a script, or somebody else, has imported it."""
        return not sys.modules.keys().isdisjoint(self.imports)


_LIBRARIES: dict[tuple[str, ...], Library] = {}


def register(*libraries: Library) -> None:
    """Add libraries; one of the same imports takes the place of an earlier one."""
    _LIBRARIES.update((library.imports, library) for library in libraries)


def registered() -> tuple[Library, ...]:
    """Return all libraries, in the order in which they were registered."""
    return tuple(_LIBRARIES.values())


def imported() -> Iterator[Library]:
    """Yield those that are imported by now."""
    return (library for library in registered() if library.is_imported)


def trainers(framework: str, *, decisive: bool = False) -> frozenset[str]:
    """Return the imports of the trainers of a framework, or of those that train with nothing else.

    The framework is named by its import.
    """
    of_it = (each for each in registered() if each.trains_with == framework)
    return frozenset(
        word for each in of_it if each.decides or not decisive for word in each.imports
    )


def update_of_loop(frame: FrameType) -> int | None:
    """Return how many batches an update takes in the loop that reads ``len`` in a frame.

    None if it does not end where that says.
    """
    word = frame.f_globals.get("__name__", "").partition(".")[0]
    found = (each.update for each in registered() if each.update and word in each.imports)
    return next((update(frame) for update in found), None)


def loop_of(returned: Any) -> Callable[[], Any] | None:
    """Return the function of a library that trains with these objects of its own, if any does."""
    return next(filter(None, (each.loop(returned) for each in imported())), None)


def promising() -> Iterator[tuple[Any, str, str]]:
    """Yield the ``promises`` of libraries that are imported: owners, names, and the words."""
    for library in registered():
        for place, why in library.promises.items():
            yield from ((*found, why) for found in _found(place))


def saving() -> Iterator[tuple[Any, str]]:
    """Yield the functions of imported libraries that write a checkpoint: owners, and names."""
    for library in registered():
        for place in library.saves:
            yield from _found(place)


def _found(place: Kept) -> Iterator[tuple[Any, str]]:
    module, kind, name = place
    owner = sys.modules.get(module)
    owner = getattr(owner, kind, None) if kind else owner
    if hasattr(owner, name):
        yield owner, name


def of_call(package: str) -> Library | None:
    """Return the library of a call, by the word of its import; None if it is not registered."""
    return next((each for each in registered() if each.imports[0] == package), None)


def is_type_of(value: Any, *names: str) -> bool:
    """Return whether the type of a value is a library's own, of one of these names."""
    own = {each.imports[0] for each in registered()}
    return type(value).__module__ in own and type(value).__name__ in names
