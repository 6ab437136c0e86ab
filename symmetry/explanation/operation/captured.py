"""A captured operation: its arrays in one run, and where the two units lie in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat

from symmetry.explanation.search.exchanged_runs import ExchangedRuns
from symmetry.explanation.search.inequality import Inequality
from symmetry.explanation.search.location import Location, locate
from symmetry.observe.tape import Event
from symmetry.units.state import Array

_ONE = {"samples": "sample", "inputs": "input", "classes": "class"}


@dataclass(frozen=True, eq=False)
class CapturedOperation:
    """An operation that treats two units differently, with all that it read and wrote."""

    runs: ExchangedRuns  # the runs that have shown it
    inequality: Inequality  # its array in which the units differ
    event: Event  # the operation in the run with equal units, with its arrays
    # The user's name of that array, and the rows of it that it holds; empty without a name.
    named: tuple[str, str]
    # Where each operand holds the two units; None if it depends on neither.
    operands: Sequence[Location | None]

    @property
    def location(self) -> Location:
        """Where the result holds the two units."""
        return self.inequality.location

    @property
    def position(self) -> int:
        """Which array of the event is the result."""
        return _position(self.event, self.inequality)

    @property
    def result(self) -> Array:
        """The array in which the units differ."""
        return self.event.arrays[self.position]

    @cached_property
    def taken(self) -> Sequence[tuple[Array, Location | None, int | None]]:
        """Each operand, where it holds the units, and the event that made it."""
        return [*zip(self.event.operands, self.operands, self.event.makers, strict=True)]

    @property
    def length(self) -> int:
        """How long the axis of the units is; 0 if they lie along none."""
        location = self.location
        return self.result.shape[location.axis] if location.kind == "axis" else 0

    def worded(self, text: str) -> str:
        """Return a text about units as one about samples, if these are what was exchanged."""
        name = self.runs.run.units.name
        return text.replace("units", name).replace("unit", _ONE[name]) if name in _ONE else text


def capture(runs: ExchangedRuns, inequality: Inequality) -> CapturedOperation:
    """Run again with different units, exchanged ones and equal ones; keep what the operation took.

    Its arrays come from the run with equal units; the others show where its operands hold the
    two.
    """
    seen, own = runs.seen[inequality.event], runs.run.events[runs.own[inequality.event]]
    s = runs.captured(runs.different, seen)
    t = runs.captured(runs.swapped, seen)
    named = "", ""

    def note(event: Event) -> None:
        nonlocal named
        position = _position(event, inequality)
        named = runs.run.start.named(event.arrays[position], event.memories[position])

    event = runs.captured(runs.run.start.state, own, note)
    distance = repeat(abs(runs.exchange.b - runs.exchange.a))
    operands = [*map(locate, s.operands, t.operands, distance)]
    return CapturedOperation(runs, inequality, event, named, operands)


def _position(event: Event, inequality: Inequality) -> int:
    """Return which array of the event it is; 0 for what a partial write wrote over."""
    position = inequality.key[1]
    return position if position < event.fresh else 0
