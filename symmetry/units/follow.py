"""Following a run: whether units that start as clones stay clones, after every single step."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from symmetry.units import compare
from symmetry.units.compare import Group
from symmetry.units.state import Array, State, finite
from symmetry.units.units import Units, first_of_group


@dataclass(frozen=True)
class Split:
    """The first time that clones were not equal."""

    step: int  # after which it shows, counted from 1
    array: str  # that shows it
    # The first unit outside the largest group of units that are still equal; the first one of it.
    units: tuple[int, int]
    # The index in the array of the entry of each of the two units that differs by most ulps.
    entries: tuple[tuple[int, ...], tuple[int, ...]]
    ulps: int  # the distance of those two entries
    relative: float  # the largest relative distance of the two units
    groups: tuple[Group, ...]  # that were clones and now are not, by which are still equal


class Follower:
    """Sees the state after each step of a run, and notices when clones split.

    Units are compared in all of their parts. Clones are those in one of the ``groups``; by default
    those that are equal at the start. The first state with a number that is not finite, and was
    finite at the start, is compared, and no state after it.
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
        self._state, self._ended = start, False
        self.steps = 0  # the last one that was compared
        self.moved = False  # whether an entry of a clone has become another finite number
        self.max_ulps = 0  # the largest distance of any two clones, at any step
        self.groups = self._clones  # which are equal now, of those that were at the start
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
        self._ended = not finite(state, self._state)
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
