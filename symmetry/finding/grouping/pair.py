"""The two units of an exchange: where they lie, and which exchange includes which."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache

from symmetry.finding.exchange.actions import Action, Pairs, Within
from symmetry.finding.grouping.proof import Proof
from symmetry.finding.naming import module_of
from symmetry.training.trace import Trace
from symmetry.units.units import Part, Units

Range = tuple[int, int, int]  # an axis, a start and a stop


class PairMaker:
    """Makes pairs of units from solved exchanges in one trace."""

    def __init__(self, trace: Trace, proof: Proof) -> None:
        self._proof, self._start = proof, proof.start
        self._written = defaultdict[str, list[str]](list)  # buffers, by their modules
        for name, i in trace.leaves.items():
            if trace.finals[name] != i:
                self._written[module_of(name)].append(name)
        self._rest_matters = cache(self._find_rest_matters)

    def pair(self, solution: Mapping[str, Action], *, selectable: bool) -> Units:
        """Return the pair that an exchange of leaves exchanges."""
        pair = Units("", 2, self._parts(solution), selectable)
        return self._with_buffers(self._widened(pair))

    def _parts(self, solution: Mapping[str, Action]) -> tuple[Part, ...]:
        """Return where the two units lie, each place once.

        Limits that are no block are dropped: rows that a batch leaves out may move along.
        """
        parts = dict.fromkeys(
            Part(name, axis, first, stride, block, within=self._ranges(name, within))
            for name, action in solution.items()
            for axis, pairs, within in action
            for first, stride, block in _runs(pairs)
        )
        return tuple(p for p in parts if not p.within or replace(p, within=()) not in parts)

    def _ranges(self, name: str, within: Within) -> tuple[Range, ...]:
        shape = self._start[name].shape
        return tuple((a, p[0], p[-1] + 1) for a, p in within if _is_block(p, shape[a]))

    def _widened(self, pair: Units) -> Units:
        """Return a pair that lies in all experts, also in those that no sample has selected.

        After another start samples may select them. A pair of which every part lies in one range
        of an axis is left as it is: it lies inside one expert, or one head.
        """
        if all(part.within for part in pair.parts):
            return pair
        parts = (
            replace(p, within=tuple(r for r in p.within if self._rest_matters(p.array, r)))
            for p in pair.parts
        )
        return replace(pair, parts=tuple(parts))

    def _find_rest_matters(self, name: str, limit: Range) -> bool:
        """Return whether the loss depends on the slices of an array outside of a range."""
        axis, first, last = limit
        rest = (*range(first), *range(last, self._start[name].shape[axis]))
        return self._proof.matters(Units("", len(rest), (Part(name, axis, 0, indices=rest),)))

    def _with_buffers(self, pair: Units) -> Units:
        """Return a pair with all buffers of its modules that may be exchanged along with it.

        At this start the loss may hardly depend on running statistics, so that the exchange holds
        without them. After another start it would not.
        """
        for part in pair.parts:
            for name in self._written[module_of(part.array)]:
                like = self._start[name].shape == self._start[part.array].shape
                if like and name not in pair.arrays:
                    more = replace(pair, parts=(*pair.parts, replace(part, array=name)))
                    pair = more if self._proof.holds(more) else pair
        return pair


def _is_block(positions: tuple[int, ...], size: int) -> bool:
    """Return whether positions are one aligned block of an axis, or several in a row: heads."""
    first, count = positions[0], len(positions)
    whole = positions == tuple(range(first, first + count))
    return whole and count < size and (count == 1 or math.gcd(first, count, size) > 1)


def _runs(pairs: Pairs) -> Iterator[tuple[int, int, int]]:
    """Yield the first index, stride and length of runs of neighbours with one stride."""
    firsts: dict[int, list[int]] = defaultdict(list)
    for i, j in pairs:
        firsts[j - i].append(i)
    for stride, places in firsts.items():
        run = [places[0]]
        for place in [*places[1:], -1]:
            if place == run[-1] + 1 and len(run) < stride:
                run.append(place)
            else:
                yield run[0], stride, len(run)
                run = [place]


_Ranges = frozenset[tuple[int, int, int]]  # of other axes, as in Part.within
_Slices = dict[tuple[int, int], list[_Ranges]]  # by the two that are swapped


class SwappedSlices:
    """All slices that an exchange of two units swaps."""

    def __init__(self, units: Units, u: int = 0, v: int = 1) -> None:
        self._along = defaultdict[tuple[str, int], _Slices](lambda: defaultdict(list))
        for part in units.parts:
            slices, ranges = self._along[part.array, part.axis], frozenset(part.within)
            for i, j in part.places(units.count)[[u, v]].T.tolist():
                slices[i, j].append(ranges)

    def include(self, other: "SwappedSlices") -> bool:
        """Return whether another exchange swaps no slices but these."""
        return all(
            any(own <= ranges for own in self._along.get(axis, {}).get(swap, ()))
            for axis, slices in other._along.items()
            for swap, several in slices.items()
            for ranges in several
        )

    def include_units(self, units: Units) -> bool:
        """Return whether an exchange of two units of a group is included."""
        part = units.parts[0]
        slices = self._along.get((part.array, part.axis))
        if slices is None:
            return False
        firsts = part.places(units.count)[:, 0].tolist()
        unit_at = {first: unit for unit, first in enumerate(firsts)}
        return any(
            i in unit_at
            and j in unit_at
            and self.include(SwappedSlices(units, unit_at[i], unit_at[j]))
            for i, j in slices
        )
