"""Search a trace for all groups of interchangeable units.

Example: y = W2 @ tanh(W1 @ x + b1), loss(y), with 4 hidden units.

  seed     swap rows 0 and 1 of W1. The solver adds b1 and W2.
  pair     {W1: rows 0 and 1, b1: entries 0 and 1, W2: columns 0 and 1}
  matters  perform the trace with other numbers there: the loss changes. If it did not, it could
           prove nothing about these units.
  extend   do 4 units hold? Rotate all 4 in W1, b1 and W2 at once and perform the trace: the loss is
           unchanged. They do.
  taken    rows of W1, entries of b1 and columns of W2 are tried no more. Columns of W1 (the inputs)
           and rows of W2 (the outputs) are tried: the solver gets stuck.
  answer   one group of 4 units: {W1: rows 0-3, b1: entries 0-3, W2: columns 0-3}

If the step multiplied unit 2 by a constant of its own, 4 units would not hold. A bisection finds
that 2 do, and 3 units hold that leave out unit 2: a group of units 0, 1 and 3.

Seeds are exchanges of neighbouring slices. No exchange of units can exchange slices that come from
different data, as samples and positions do: all units come from the same data. Their axes are left
out. Such an axis is found by replacing some of the data. If one slice of a value changes and
another does not, they come from different data.
"""

import itertools
import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from symmetry.finding.coverage import Tell
from symmetry.finding.exchange.actions import Action, Actions, Pairs, Within
from symmetry.finding.exchange.operations import Operations
from symmetry.finding.exchange.propagation import Stuck
from symmetry.finding.exchange.tolerance import Array, changed
from symmetry.finding.naming import module_of
from symmetry.finding.proof import Proof
from symmetry.finding.solver import Solver
from symmetry.training.trace import Trace
from symmetry.units.units import Part, Units

Axis = tuple[int, int, int, int]  # a value, its axis, the size of a block, the number of blocks


def neighbours(axis: int, block: int, place: int) -> Action:
    """Return the exchange of a block of slices with the next one."""
    first = place * block
    return ((axis, tuple((i, i + block) for i in range(first, first + block)), ()),)


def block_axes(operations: Operations) -> Iterator[Axis]:
    """Yield axes whose blocks may be units, although they are no single slices of a leaf.

    These are axes that a view of a leaf's value has made, as those of heads, and blocks whose
    number is an argument of an operation, as in a grouped convolution.
    """
    trace = operations.trace
    by_data = data_axes(trace)
    for k, node in enumerate(trace.nodes):
        for q, value in enumerate(node.outputs if operations.movement(k) else ()):
            if value in trace.from_leaves:
                for axis, size in enumerate(trace.arrays[value].shape):
                    unknown = size > 1 and (value, axis) not in by_data
                    if unknown and operations.is_new_axis(k, q, axis):
                        yield value, axis, 1, size
        for value in {*node.inputs} & trace.names.keys():
            size = trace.arrays[value].shape[0] if trace.arrays[value].ndim else 0
            for count in sorted(node.integers, reverse=True):  # halves may consist of groups
                if 1 < count < size and size % count == 0:
                    yield value, 0, size // count, count


ValueAxis = tuple[int, int]

_MOST = 3  # axes of the data that are looked at: samples, and positions


def data_axes(trace: Trace) -> frozenset[ValueAxis]:
    """Return the values and axes whose first two slices come from different data.

    So do slices that come from some of the samples, as on an axis that samples and heads share.
    Data are the values that come from outside of the step, unless they are leaves.
    """
    axes: set[ValueAxis] = set()
    for replaced_axis, replaced in itertools.islice(_replacements(trace), _MOST):
        for value, mask in _changes(trace, replaced):
            for axis in range(mask.ndim):
                others = mask if replaced_axis == 0 else mask.take([0, 1][: mask.shape[axis]], axis)
                if (others != mask.take([0], axis)).any():
                    axes.add((value, axis))
    return frozenset(axes)


def _replacements(trace: Trace) -> Iterator[tuple[int, dict[int, Array]]]:
    """Yield an axis, and other data by value, for each axis and size that the data have.

    The first slice that differs from slice 0 becomes slice 0, and so do all slices equal to it:
    equal slices stay equal.
    """
    others: dict[tuple[int, int], dict[int, Array]] = defaultdict(dict)
    for value, array in enumerate(trace.arrays):
        if array.size and value not in trace.maker and value not in trace.names:
            for axis, size in enumerate(array.shape):
                slices = np.moveaxis(array, axis, 0).reshape(size, -1)
                different = np.flatnonzero((slices != slices[:1]).any(axis=1))
                if len(different):
                    replaced = (slices == slices[different[0]]).all(axis=1)
                    other = np.array(array, order="C")
                    np.moveaxis(other, axis, 0)[replaced] = array.take(0, axis)
                    others[axis, size][value] = other
    yield from ((axis, others[axis, size]) for axis, size in sorted(others, key=lambda k: k[0]))


def _changes(
    trace: Trace, replaced: Mapping[int, Array]
) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """Yield the values that change with the data, and where they change."""
    new = dict(replaced)
    for k, node in enumerate(trace.nodes):
        inputs = {x: new[i] for x, i in enumerate(node.inputs) if i in new}
        results = trace.perform(k, inputs) if inputs else None
        for value, result in zip(node.outputs, results or (), strict=False):
            old = trace.arrays[value]
            if old.shape == result.shape:
                mask = changed(old, result)
                if mask.any():
                    new[value] = result
                    yield value, mask


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


LeafAxis = tuple[str, int]


class GroupSearch:
    """Searches one trace for groups.

    ``received`` says which entries of parameters receive a gradient in it, as far as that is known.
    """

    def __init__(
        self,
        solver: Solver,
        tolerance: float,
        trainable: Collection[str],
        received: Mapping[str, NDArray[np.bool_]],
        progress: Tell,
    ) -> None:
        self.proof = Proof(solver.trace, tolerance)
        self.groups: list[Units] = []  # the groups so far
        # Slices, by leaf and axis, that the loss does not depend on.
        self.unused: dict[LeafAxis, set[int]] = defaultdict(set)
        self._solver, self._trainable, self._progress = solver, trainable, progress
        self._received = received
        self._taken: dict[LeafAxis, set[int]] = defaultdict(set)
        self._pairs = PairMaker(solver.trace, self.proof)
        self._extension = Extension(self.proof, self._taken)

    def run(self) -> list[Units]:
        """Try all seeds and return the groups: slices of leaves first, then blocks and views."""
        leaves = self.proof.start
        for number, (name, array) in enumerate(leaves.items()):
            self._progress(name, number, len(leaves))
            for axis in range(array.ndim):
                self._try_slices(name, axis)
        self._progress("heads and groups", len(leaves), len(leaves))
        self._try_blocks()
        return self.groups

    def _try_slices(self, name: str, axis: int) -> None:
        """Try neighbouring slices of a leaf as seeds: all, until two seeds have failed.

        After the first failure the search goes on in the middle of the axis. Slices that the loss
        does not depend on are passed over.
        """
        place, failures, size = 0, 0, self.proof.start[name].shape[axis]
        while place + 1 < size and failures < 2:
            if self._is_group(name, axis, place):
                place += 1
                continue
            unused = self._count_unused(name, axis, place)
            self.unused[name, axis].update(range(place, place + unused))
            failures += not unused
            place = place + unused if unused else max(size // 2, place + 1)

    def _is_group(self, name: str, axis: int, place: int) -> bool:
        """Return whether a slice or its neighbour lies in a group: an old one, or a new one."""
        if not self._taken[name, axis].isdisjoint((place, place + 1)):
            return True
        leaf = self._solver.trace.leaves[name]
        return self._try({leaf: neighbours(axis, 1, place)}, (name, axis)) is not None

    def _count_unused(self, name: str, axis: int, place: int) -> int:
        """Return how many slices of a leaf, from a place on, the loss does not depend on.

        It depends on a slice that receives a gradient. Only for others it has to be tried.
        """
        if name in self._received and self._received[name].take(place, axis).any():
            return 0

        def matter(count: int) -> bool:
            return self.proof.matters(Units("", count, (Part(name, axis, place),)))

        size = self.proof.start[name].shape[axis]
        return 0 if matter(1) else bisect_left(range(1, size - place + 1), True, key=matter)

    def _try_blocks(self) -> None:
        """Try blocks of leaves, and slices of views: seeds that are pulled back to the leaves."""
        tried: dict[frozenset[tuple[int, Action]], Units | None] = {}
        for value, axis, block, count in block_axes(self._solver.operations):
            place = 0
            while place + 1 < count:
                leaves = self._solver.pulled_back(value, neighbours(axis, block, place)) or {}
                key = frozenset(leaves.items())
                if leaves and key not in tried:
                    tried[key] = self._try(leaves)
                units = tried.get(key)
                if units is None:
                    break
                place += units.count

    def _try(self, leaves: Actions, seed: LeafAxis | None = None) -> Units | None:
        """Return the group that an exchange belongs to, be it old or new; None without a group."""
        try:
            solution, selectable = self._solver.solve(leaves)
        except Stuck:
            return None
        pair = self._pairs.pair(solution, selectable=selectable)
        if not pair.parts or not solution.keys() & self._trainable:
            return None
        swapped = SwappedSlices(pair)
        units = next((group for group in self.groups if swapped.include_units(group)), None)
        if units is None:
            units = self._extension.largest_group(pair) if self.proof.matters(pair) else None
            if units is None:
                return None
            self._add(units, pair)
        self._take(units, seed)
        return units

    def _add(self, units: Units, pair: Units) -> None:
        """Add a new group; older groups whose exchanges include the pair's give way."""
        swapped = SwappedSlices(pair)
        self.groups = [g for g in self.groups if not SwappedSlices(g).include(swapped)]
        self.groups += split(units, self.proof)

    def _take(self, units: Units, seed: LeafAxis | None) -> None:
        """Try no slice of these units again, unless smaller units may lie there.

        Units that have several slices along an axis may consist of smaller ones, as heads consist
        of dimensions. If the seed lay along such an axis they do not: then its slices are taken,
        and so are those along other axes with as many slices.
        """
        axes = {(part.array, part.axis) for part in units.parts}
        places = {axis: units.along(*axis).keys() for axis in axes}
        seeded = len(places[seed]) if seed in places else 0
        for axis in axes:
            if len(places[axis]) == units.count or len(places[axis]) >= seeded > units.count:
                self._taken[axis] |= places[axis]
