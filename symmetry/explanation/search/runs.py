"""The watched run: from a start in which units are equal to the step that splits them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from symmetry.base.errors import TargetError
from symmetry.base.libraries import of_call
from symmetry.explanation.starts import TapedStart
from symmetry.observe.tape import Event, Tape
from symmetry.units.compare import Group
from symmetry.units.state import Array, State
from symmetry.units.units import Units


@dataclass(frozen=True)
class TapedRun:
    """R: the run in which units begin equal, and split."""

    start: TapedStart  # where it begins
    units: Units  # the group whose units split
    events: Sequence[Event]  # its operations, without their arrays
    ends: Sequence[int]  # how many events there were after each step
    # Which of the units that began equal are equal at the end; empty if none began equal.
    groups: Sequence[Group]
    earlier: int  # how many steps came before those that are watched

    @property
    def remarks(self) -> tuple[str, ...]:
        """Remarks on the libraries that its operations are of."""
        called = dict.fromkeys(event.call.library for event in self.events)
        known = filter(None, map(of_call, called))
        return tuple(library.observed for library in known if library.observed)

    def step_of(self, number: int) -> int:
        """Return in which step, from 1, an event lies."""
        return self.earlier + 1 + bisect_right(self.ends, number)


def watch(taped: TapedStart, units: Units, steps: int, earlier: int = 0) -> TapedRun:
    """Watch the run in which units begin equal, in another way if it does not work in the first."""
    events: list[Event] = []
    tape = Tape(events.append)
    try:
        after = [(tape.count, state) for state in taped.states(taped.state, steps, tape)]
    except TargetError:
        if (other := taped.otherwise()) is None:
            raise
        return watch(other, units, steps, earlier)
    groups = _groups(units, taped.state, after[-1][1], taped.coarse)
    ends = [count for count, _ in after]
    return TapedRun(taped, units, events, ends, groups, earlier)


def usual_and_odd(groups: Sequence[Group]) -> tuple[int, int, list[int]]:
    """Return two usual units and an odd one of each other group.

    Usual ones are from the middle of the largest group, since the first unit may be special; where
    there is only one, it is returned twice.
    """
    largest = max(groups, key=len)
    others = sorted((g for g in groups if g is not largest), key=lambda g: (len(g), -g[0]))
    middle = largest[len(largest) // 2 - (len(largest) > 1) :]
    return middle[0], middle[:2][-1], [group[0] for group in others]


def _groups(units: Units, start: State, state: State, coarse: float) -> tuple[Group, ...]:
    """Return how the first group of clones that split is split now; empty if none did.

    Units closer than ``coarse`` count as equal, unless all of them are. Samples are in no state.
    """
    if state.keys().isdisjoint(units.arrays):
        return ()
    exact = units.groups(state)
    for now in [_near_groups(units, state, coarse), exact] if coarse else [exact]:
        for clones in units.groups({name: start[name] for name in start if name in state}):
            pieces = tuple(piece for group in now if (piece := tuple(sorted({*group} & {*clones}))))
            if len(pieces) > 1:
                return pieces
    return ()


@np.errstate(all="ignore")
def scaled_rows(units: Units, state: State) -> Array:
    """Return all that the units hold, one row a unit, of the largest entry of each part."""
    rows = [units.rows(state, part) for part in units.parts if part.array in state]
    return np.hstack([row / (abs(row).max(initial=0) or 1) for row in rows])


def _near_groups(units: Units, state: State, coarse: float) -> list[Group]:
    """Return units that are equal but for a small multiple of the largest entry."""
    scaled = scaled_rows(units, state)
    groups: dict[int, list[int]] = {}  # by their first units
    for unit in range(units.count):
        near = (u for u in groups if abs(scaled[unit] - scaled[u]).max(initial=0) <= coarse)
        groups.setdefault(next(near, unit), []).append(unit)
    return [tuple(group) for group in groups.values()]
