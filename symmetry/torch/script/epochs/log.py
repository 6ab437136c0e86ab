"""The events of one run, as they come, and when the run has seen enough."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from symmetry.base.user_code import callers, is_user_code
from symmetry.observe.source_line import SourceLine, asked_at
from symmetry.torch.state import bytes_of
from symmetry.torch.watch.operations import tensors_in
from symmetry.training.events import LoopEvent, States


def variable_of(thing: object) -> str:
    """Return the variable, or the attribute of ``self``, that holds an object; empty without one.

    Names of outer functions come first: inner ones are called with several objects, under one name.
    """
    found = ""
    for frame in callers():
        if is_user_code(frame.f_code.co_filename):
            found = _name_in(frame.f_locals, thing) or found
    return found


def _name_in(scope: Mapping[str, Any], thing: object) -> str:
    for name, value in scope.items():
        if value is thing and name != "self":
            return name
    for name, value in getattr(scope.get("self"), "__dict__", {}).items():
        if value is thing:
            return f"self.{name}"
    return ""


UPDATES = 40  # that a run takes at most


class Log:
    """Collects events, and suspends the script once it has seen enough.

    Parameters
    ----------
    suspend
        Suspends the script.
    seconds
        The CPU seconds that the run may take.
    most
        How many updates it may take.

    Attributes
    ----------
    events
        All so far.
    listeners
        Called with each event.
    updates, backwards
        How many there were.
    ended
        Why the run ended, or an empty string.
    is_limited
        Whether that is because it took too long.
    """

    def __init__(self, suspend: Callable[[], None], seconds: float, most: int = UPDATES) -> None:
        self.events: list[LoopEvent] = []
        self.updates = self.backwards = 0
        self.ended, self.is_limited = "", False
        self.listeners: list[Callable[[LoopEvent], None]] = []
        self.suspend, self._seconds, self._most = suspend, seconds, most
        # By call that records gradients: the event, and the numbers of the first node that the call
        # has made and of the first one behind it.
        self._calls: list[tuple[int, int, int]] = []
        self._began, self._thread = time.process_time(), threading.get_ident()

    @property
    def seconds(self) -> float:
        """The CPU seconds since it began."""
        return time.process_time() - self._began

    def add(
        self, kind: Callable[..., LoopEvent], at: SourceLine | None = None, /, **facts: Any
    ) -> None:
        """Add an event; suspend the script for good if it is the last one."""
        if self.ended or threading.get_ident() != self._thread:  # one that fetches batches, say
            return
        event = kind(at=at or asked_at(), update=self.updates, **facts)
        self.events.append(event)
        for listen in self.listeners:
            listen(event)
        if self.updates >= self._most:
            self._end(f"after {self._most} updates")
        elif self.seconds > self._seconds:
            self.is_limited = True
            self._end(f"after {self._seconds:.0f} CPU seconds")

    def called(self, event: int, first: int, end: int) -> None:
        """Remember which nodes of graphs a call has made, by their numbers."""
        if first < end:
            self._calls.append((event, first, end))

    def calls_of(self, nodes: Iterable[int]) -> frozenset[int]:
        """Return the events of the calls that have made nodes of these numbers."""
        found = set()
        for number in nodes:
            place = bisect_right(self._calls, number, key=itemgetter(1)) - 1
            if place >= 0 and number < self._calls[place][2]:
                found.add(self._calls[place][0])
        return frozenset(found)

    def _end(self, why: str) -> None:
        self.ended = why
        self.suspend()


class Numbers:
    """Numbers of objects, in the order in which they are first seen; it keeps them alive."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._names: dict[int, str] = {}
        self.objects: list[Any] = []

    def of(self, thing: Any) -> int:
        """Return the number of an object."""
        if id(thing) not in self._numbers:
            self._numbers[id(thing)] = len(self.objects)
            self.objects.append(thing)
        return self._numbers[id(thing)]

    def look(self, thing: Any) -> None:
        """Look for the variable of an object, while it is used."""
        number = self.of(thing)
        if not self._names.get(number):
            self._names[number] = variable_of(thing)

    def name_of(self, number: int) -> str:
        """Return the variable of an object; empty if others have the same, or it has none."""
        name = self._names.get(number, "")
        return name if [*self._names.values()].count(name) == 1 else ""

    def known(self, thing: Any) -> int | None:
        """Return the number of an object that was seen before."""
        return self._numbers.get(id(thing))

    def __iter__(self) -> Iterator[Any]:
        return iter(self.objects)


def states() -> States:
    """Return a digest of the state of each shared random generator."""
    numpy: Any = np.random.get_state()
    kind, words, *rest = numpy
    return {
        "PyTorch": _digest(torch.default_generator.get_state().numpy().tobytes()),
        "NumPy": _digest(repr((kind, *rest)).encode() + words.tobytes()),
        "Python": _digest(repr(random.getstate()).encode()),
    }


def tensors_of(value: Any) -> list[Tensor]:
    """Return the tensors in a nested value; libraries have mappings of their own for batches."""
    return tensors_in(dict(value) if isinstance(value, Mapping) else value)


def digest_of(batch: Any) -> str:
    """Return a digest of the bytes of all tensors in a batch; nothing if none can be read."""
    tensors = [t for t in tensors_of(batch) if t.layout is torch.strided and not t.is_meta]
    if not tensors or any(map(torch._C._functorch.is_functorch_wrapped_tensor, tensors)):
        return ""
    return _digest(b"".join(map(bytes_of, tensors)))


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def shapes_of(value: Any) -> tuple[str, ...]:
    """Return the shapes of the tensors within: ``32 x 3 x 8 x 8``."""
    return tuple(" x ".join(map(str, t.shape)) or "scalar" for t in tensors_of(value))
