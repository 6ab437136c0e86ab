"""Following a run: whether units that start as clones stay clones, after every single step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from symmetry.units import compare
from symmetry.units.compare import Group
from symmetry.units.state import Array, State, finite
from symmetry.units.units import Units, first_of_group


@dataclass(frozen=True)
class Split:
    """The first time that clones were not equal.

    Attributes
    ----------
    step
        After which it shows, counted from 1.
    array
        The array that shows it.
    units
        The first unit outside the largest group of units that are still equal, and the first unit
        of that group.
    entries
        The index in the array of the entry of each of the two units that differs by most ulps.
    ulps, relative
        The distance of those two entries in ulps; the largest relative distance of the two units.
    groups
        The units that were clones and now are not, sorted by which of them are still equal.
    """

    step: int
    array: str
    units: tuple[int, int]
    entries: tuple[tuple[int, ...], tuple[int, ...]]
    ulps: int
    relative: float
    groups: tuple[Group, ...]


class Follower:
    """Sees the state after each step of a run, and notices when clones split.

    The first state with a number that is not finite is compared, and no state after it.

    Parameters
    ----------
    units
        What is compared, in all of their parts.
    start
        The state before the first step.
    groups
        Which units are clones; by default those that are equal at the start.

    Attributes
    ----------
    steps
        The last step that was compared.
    moved
        Whether an entry of a clone has become another finite number.
    max_ulps
        The largest distance of any two clones in any entry, at any step.
    groups
        Which units are equal now; only units that were clones at the start can be.
    split
        The first split; None while there is none.
    """

    def __init__(
        self,
        units: Units,
        start: State,
        groups: Iterable[Iterable[int]] | None = None,
    ) -> None:
        self._units = units
        self._clones = tuple(map(tuple, units.groups(start) if groups is None else groups))
        self._first = first_of_group(self._clones, units.count)
        self._shared = [unit for group in self._clones if len(group) > 1 for unit in group]
        self._start = [units.rows(start, part) for part in units.parts]
        self._ended = False
        self.steps = 0
        self.moved = False
        self.max_ulps = 0
        self.groups = self._clones
        self.split: Split | None = None

    @property
    def clones(self) -> bool:
        """Whether there are any clones to compare."""
        return bool(self._shared)

    def see(self, step: int, state: State) -> None:
        """Compare the clones after a step."""
        if self._ended:
            return
        self.steps = step
        self._ended = not finite(state)
        rows = [self._units.rows(state, part) for part in self._units.parts]
        self.moved = self.moved or any(map(self._has_moved, rows, self._start))
        self.groups = self._clones
        if not all(map(self._are_clones, rows)):
            ids = self._first[:, None].astype(np.float64)
            self.groups = compare.group_rows(*rows, ids)
            self.max_ulps = max(self.max_ulps, *map(self._spread, rows))
            self.split = self.split or self._describe(step, state, rows)

    def _has_moved(self, now: Array, then: Array) -> bool:
        if len(self._shared) < len(now):
            now, then = now[self._shared], then[self._shared]
        return bool((np.isfinite(now) & (now != then)).any())

    def _are_clones(self, rows: Array) -> bool:
        if len(self._clones) == 1:
            return compare.all_equal(rows)
        return compare.identical(rows, rows[self._first])

    def _spread(self, rows: Array) -> int:
        return max(compare.spread_ulps(rows[list(group)]) for group in self._clones)

    def _describe(self, step: int, state: State, arrays: Sequence[Array]) -> Split:
        """Describe the split of the first group of clones, in the first array that shows it."""
        part, rows, groups = next(
            (part, rows, [[clones[k] for k in group] for group in found])
            for part, rows in zip(self._units.parts, arrays, strict=True)
            for clones in self._clones
            if len(found := compare.group_rows(rows[list(clones)])) > 1
        )
        largest = max(groups, key=len)  # of equals, the one with the first unit
        usual = largest[0]
        odd = min(unit for group in groups if group is not largest for unit in group)
        distances = compare.ulp_distances(rows[odd], rows[usual])
        position = int(distances.argmax())
        return Split(
            step=step,
            array=part.array,
            units=(odd, usual),
            entries=(
                self._units.entry(state, part, odd, position),
                self._units.entry(state, part, usual, position),
            ),
            ulps=int(distances[position]),
            relative=compare.max_relative(rows[odd], rows[usual]),
            groups=tuple(map(tuple, groups)),
        )
