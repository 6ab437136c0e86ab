"""From a pair of units to the largest group, and from a group to one for each slice of an axis."""

import itertools
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache

from symmetry.finding.grouping.proof import Proof
from symmetry.units.units import Part, Units

_HINTS = 4  # sizes of other groups that are tried first


class Extension:
    """Extends pairs; a group that is too large fails its proof.

    ``taken`` are the slices that other groups lie in, by array and axis.
    """

    def __init__(self, proof: Proof, taken: Mapping[tuple[str, int], set[int]]) -> None:
        self._proof, self._taken = proof, taken
        self._sizes: dict[int, int] = {}  # of the latest groups, by their room

    def largest_group(self, pair: Units) -> Units | None:
        """Return the largest group of the pair's first unit; None if it has no second one."""
        ahead = self._interchangeable(pair, range(self._capacity(pair)))
        back = self._units_before(pair)
        before = range(-1, -back - 1, -1)
        units = sorted([*self._interchangeable(pair, [0, *before]), *ahead[1:]])
        everything = range(-back, self._capacity(pair))
        odd = len(units) < len(everything)
        if odd and self._proof.holds_but_for_buffers(_numbered(pair, everything)):
            units = [*everything]
        if len(units) < 2:
            return None
        return _numbered(pair, units)

    def _interchangeable(self, pair: Units, units: Sequence[int]) -> Sequence[int]:
        """Return the units that are interchangeable with the first; one or two odd ones may fail.

        Units are numbered from the first of the pair. A failing proof is expensive: it repeats the
        whole trace. So the size of the latest group in as much room is tried first, then all units,
        then the sizes of other groups. No odd unit is looked for if a size fits.
        """

        @cache
        def fails(count: int) -> bool:
            return not self._proof.holds(_numbered(pair, units[:count]))

        room = len(units)
        expected = self._sizes.get(room, room)
        for count in dict.fromkeys([expected, room, *[*self._sizes.values()][-_HINTS:]]):
            if 1 < count <= room and not fails(count) and (count == room or fails(count + 1)):
                self._sizes[room] = count
                return units[:count]
        if room < 2:
            return units
        reach = bisect_left(range(2, room), True, key=fails) + 1
        self._sizes[room] = reach
        for odd in (1, 2):
            rest = [units[0], *units[reach + odd :]]
            if len(rest) > 1 and self._proof.holds(_numbered(pair, rest[:2])):
                return [*units[:reach], *self._interchangeable(pair, rest)[1:]]
        return units[:reach]

    def _units_before(self, pair: Units) -> int:
        """Return how many units may lie before the pair: none if the nearest slices are taken."""
        nearest = ((p, range(p.first - p.stride, p.first - p.stride + p.block)) for p in pair.parts)
        if any(not self._taken[p.array, p.axis].isdisjoint(slices) for p, slices in nearest):
            return 0
        return min(part.first // part.stride for part in pair.parts)

    def _capacity(self, pair: Units) -> int:
        """Return how many units fit: into each array, and before they run into another part."""
        sizes = [
            (self._proof.start[p.array].shape[p.axis] - p.first - p.block) // p.stride + 1
            for p in pair.parts
        ]
        for p, q in itertools.permutations(pair.parts, 2):
            if _along(p) == _along(q):
                gaps = {q.first - p.first + b - a for a in range(p.block) for b in range(q.block)}
                sizes += [gap // p.stride for gap in gaps if gap > 0 and gap % p.stride == 0]
        return min(map(int, sizes))


def _along(part: Part) -> tuple[object, ...]:
    return part.array, part.axis, part.within, part.stride


def _numbered(pair: Units, units: Sequence[int]) -> Units:
    """Return the group of some units, which are numbered from the first of the pair."""
    first, count = units[0], len(units)
    parts = [replace(p, first=p.first + first * p.stride) for p in pair.parts]
    if units[-1] - first != count - 1:
        parts = [
            replace(p, first=0, stride=1, indices=tuple(p.first + u * p.stride for u in units))
            for p in pair.parts
        ]
    return replace(pair, count=count, parts=tuple(parts))


_CHOICES = 8  # of one axis in each array that are tried


def split(units: Units, proof: Proof) -> list[Units]:
    """Return the units in each slice of another axis, if each hold alone; otherwise the group.

    The hidden units of stacked experts hold alone in each expert: all their arrays have an axis of
    the experts.
    """
    if len(units.parts) == 1 or any(part.within for part in units.parts):
        return [units]
    for size, axes in itertools.islice(_common_axes(units, proof), _CHOICES):
        slices = [_within_slice(units, axes, place) for place in range(size)]
        if all(map(proof.holds, slices)):
            return slices
    return [units]


def _common_axes(units: Units, proof: Proof) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Yield a size, and an axis of that size for each part, along which its units do not lie."""
    by_size: list[dict[int, list[int]]] = []
    for part in units.parts:
        axes = defaultdict[int, list[int]](list)
        for axis, size in enumerate(proof.start[part.array].shape):
            if size > 1 and axis != part.axis:
                axes[size].append(axis)
        by_size.append(axes)
    for size in set.intersection(*map(set, by_size)):
        for choice in itertools.product(*(axes[size] for axes in by_size)):
            yield size, choice


def _within_slice(units: Units, axes: Sequence[int], place: int) -> Units:
    """Return units that lie in one slice only of an axis of each part."""
    parts = (
        replace(part, within=((axis, place, place + 1),))
        for part, axis in zip(units.parts, axes, strict=True)
    )
    return replace(units, parts=tuple(parts))
