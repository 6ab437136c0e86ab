"""The sequence of array operations of a step: their names, their places and all shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from symmetry.culprit.call import Call
from symmetry.culprit.geometry import Handle, address
from symmetry.culprit.layout import Layout
from symmetry.culprit.place import Place


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
