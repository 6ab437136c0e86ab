"""From exchanges of two units to groups: how far they reach, and whether they hold."""

import itertools
import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from symmetry.finding import actions
from symmetry.finding.actions import Action, Array, Pairs
from symmetry.finding.apart import apart_by_data
from symmetry.finding.coverage import Tell
from symmetry.finding.naming import module_of
from symmetry.finding.solver import Actions, Solver, Stuck
from symmetry.units.units import Part, Units

_HINTS = 4  # numbers of units that are tried first
_AXES = 8  # choices of an axis of each part, along which units may lie in slices
_PROOF = 1000.0  # tolerances: units by which the loss changes less cannot be told from others

Piece = tuple[str, int, int, int, tuple[tuple[int, int, int], ...]]  # array, axis, i, j, where


class Groups:
    """Finds all groups of one trace; ``solver`` completes exchanges.

    ``tolerance`` is by how much the loss may change, relative. A group has a part in one of the
    ``trainable`` leaves. ``failures`` tells why the last seed along an axis of a leaf failed.
    ``excused`` are buffers that a forward writes, but not for all units alike, and no loss reads.
    ``unused`` are slices of leaves, by axis, that the loss was seen not to depend on.
    """

    def __init__(
        self, solver: Solver, tolerance: float, trainable: Collection[str], progress: Tell
    ) -> None:
        self.found: list[Units] = []
        self.failures: dict[tuple[str, int], Stuck] = {}
        self.excused: set[str] = set()
        self.unused: dict[tuple[str, int], set[int]] = defaultdict(set)
        self._solver, self._trace = solver, solver.trace
        self._tolerance, self._trainable, self._progress = tolerance, trainable, progress
        self._start = {name: self._trace.arrays[i] for name, i in self._trace.leaves.items()}
        finals = {n: i for n, i in self._trace.finals.items() if i not in self._trace.names}
        self._ends = {name: self._trace.arrays[i] for name, i in finals.items()}
        self._written = defaultdict[str, list[str]](list)  # buffers, by their modules
        for name, i in self._trace.leaves.items():
            if self._trace.finals[name] != i:
                self._written[module_of(name)].append(name)
        self._used_beside = cache(self._find_used_beside)
        self._taken: dict[tuple[str, int], set[int]] = defaultdict(set)
        self._counts: list[int] = []  # of units in the groups that were found last

    def find(self) -> list[Units]:
        """Try all seeds: slices of leaves, slices of views that have new axes, and blocks."""
        for number, (name, array) in enumerate(self._start.items()):
            self._progress(name, number, len(self._start))
            for axis in range(array.ndim):
                self._try_slices(name, axis, array.shape[axis])
        self._progress("heads and groups", len(self._start), len(self._start))
        tried: dict[frozenset[tuple[int, Action]], Units | None] = {}
        for value, axis, block, count in self._blocks():
            place = 0
            while place + 1 < count:
                leaves = self._solver.pulled(value, _next_exchanged(axis, block, place)) or {}
                key = frozenset(leaves.items())
                if leaves and key not in tried:
                    tried[key] = self._try(leaves)
                units = tried.get(key)
                if units is None:
                    break
                place += units.count
        return self.found

    # Proofs

    def holds(self, units: Units) -> bool:
        """Return whether the loss stays, and buffers move along, when all units are rotated."""
        order = np.roll(np.arange(units.count), 1)
        new = self._replayed(units, units.rearranged(self._start, order))
        return new is not None and all(
            actions.same(wanted, new.get(self._trace.finals[name], self._ends[name]))
            for name, wanted in units.rearranged(self._ends, order).items()
            if name not in self.excused
        )

    def matters(self, units: Units) -> bool:
        """Return whether the loss depends on the units: their slices may never be used.

        A loss that hardly depends on them cannot prove that they may be exchanged.
        """
        changed = dict(self._start)
        for part in units.parts:
            array = changed[part.array] = np.array(changed[part.array], order="C")
            view, places = part.view(array), part.places(units.count).ravel()
            view[places] = view[places] * 1.37 + 0.11
        return self._replayed(units, changed, _PROOF) is None

    def _replayed(
        self, units: Units, start: Mapping[str, Array], allowance: float = 1.0
    ) -> dict[int, Array] | None:
        """Return the values that change with the units' arrays; None if the loss is among them.

        It is if it changes by more than ``allowance`` tolerances. Only what comes after those
        arrays is performed again, until results are what they were.
        """
        new = {self._trace.leaves[name]: start[name] for name in units.arrays}
        queue = {k for i in new for k in self._trace.users[i]}
        while queue:
            k = min(queue)
            queue.discard(k)
            node = self._trace.nodes[k]
            changed = {x: new[i] for x, i in enumerate(node.inputs) if i in new}
            results = self._trace.perform(k, changed)
            if results is None:
                return None
            for value, result in zip(node.outputs, results, strict=True):
                allowed = self._tolerance * (allowance if value == self._trace.loss else 1.0)
                if value not in self._solver.kept or actions.same(
                    self._trace.arrays[value], result, allowed
                ):
                    continue
                if value == self._trace.loss:
                    return None
                new[value] = result
                queue.update(self._trace.users[value])
        return new

    # Seeds

    def _try_slices(self, name: str, axis: int, size: int) -> None:
        place, failed, slot = 0, 0, (name, axis)
        while place + 1 < size and failed < 2:
            taken = not self._taken[slot].isdisjoint((place, place + 1))
            seed = {self._trace.leaves[name]: _next_exchanged(axis, 1, place)}
            if taken or self._try(seed, slot):
                place += 1
            else:
                idle = self._idle(name, axis, place)
                self.unused[slot].update(range(place, place + idle))
                failed += not idle
                place = place + idle if idle else max(size // 2, place + 1)

    def _idle(self, name: str, axis: int, place: int) -> int:
        """Return how many slices of a leaf, from a place on, the loss does not depend on."""

        def matter(count: int) -> bool:
            return self.matters(Units("", count, (Part(name, axis, place),)))

        size = self._start[name].shape[axis]
        return 0 if matter(1) else bisect_left(range(1, size - place + 1), True, key=matter)

    def _blocks(self) -> Iterator[tuple[int, int, int, int]]:
        """Yield values, with an axis, the size of the blocks along it and their number."""
        trace, solver = self._trace, self._solver
        apart = apart_by_data(trace)
        for k, node in enumerate(trace.nodes):
            for q, value in enumerate(node.outputs if solver.movement(k) else ()):
                if value in solver.reached:
                    for axis, size in enumerate(trace.arrays[value].shape):
                        told = size < 2 or (value, axis) in apart
                        if not told and self._is_new(k, q, axis):
                            yield value, axis, 1, size
            for value in {*node.inputs} & trace.names.keys():
                size = trace.arrays[value].shape[0] if trace.arrays[value].ndim else 0
                for count in sorted(node.integers, reverse=True):  # halves may consist of groups
                    if 1 < count < size and size % count == 0:
                        yield value, 0, size // count, count

    def _is_new(self, k: int, q: int, axis: int) -> bool:
        """Return whether an axis of an output is none of the inputs' axes: a view made it."""
        size = self._trace.arrays[self._trace.nodes[k].outputs[q]].shape[axis]
        return all((~q, axis) not in pair for pair in self._solver.ties(k, size))

    def _try(self, leaves: Actions, slot: tuple[str, int] | None = None) -> Units | None:
        """Return the group that an exchange belongs to: one that is known, or a new one."""
        try:
            solution, chosen = self._solver.solve(leaves)
        except Stuck as stuck:
            if slot is not None:
                self.failures.setdefault(slot, stuck)
            return None
        pair = self._with_buffers(self._widened(Units("", 2, self._parts(solution), chosen)))
        if not pair.parts or not solution.keys() & self._trainable:
            return None
        own = _exchange(pair, 0, 1)
        units = next((known for known in self.found if _includes(own, known)), None)
        if units is None:
            units = self._extended(pair) if self.matters(pair) else None
            if units is None:
                return None
            self.found = [h for h in self.found if not _within(own, _exchange(h, 0, 1))]
            self.found += self._apart(units)
            self._counts = [*dict.fromkeys([units.count, *self._counts])][:_HINTS]
        self._take(units, slot)
        return units

    def _take(self, units: Units, seed: tuple[str, int] | None) -> None:
        """Try no slice of these units again, unless smaller units may lie there.

        Units with several slices along an axis may consist of smaller ones: heads of dimensions.
        Where such an axis was the seed, they do not, nor along others with as many slices.
        """
        slots = {(part.array, part.axis) for part in units.parts}
        places = {slot: units.along(*slot).keys() for slot in slots}
        seeded = len(places[seed]) if seed in places else 0
        for slot in slots:
            if len(places[slot]) == units.count or len(places[slot]) >= seeded > units.count:
                self._taken[slot] |= places[slot]

    def _parts(self, solution: Mapping[str, Action]) -> tuple[Part, ...]:
        """Return where the two units of an exchange lie, each place once.

        Conditions that are no block are dropped: rows that a batch leaves out may go along.
        """
        parts = dict.fromkeys(
            Part(name, axis, first, stride, block, within=limits)
            for name, action in solution.items()
            for axis, pairs, where in action
            for limits in [
                tuple(
                    (a, p[0], p[-1] + 1)
                    for a, p in where
                    if _is_block(p, self._start[name].shape[a])
                )
            ]
            for first, stride, block in _runs(pairs)
        )
        return tuple(p for p in parts if not p.within or replace(p, within=()) not in parts)

    def _widened(self, pair: Units) -> Units:
        """Let a pair that lies everywhere else, too, lie in experts that no sample has chosen.

        From another start samples may choose them.
        """
        if all(part.within for part in pair.parts):
            return pair
        parts = (
            replace(
                p, within=tuple(limit for limit in p.within if self._used_beside(p.array, limit))
            )
            for p in pair.parts
        )
        return replace(pair, parts=tuple(parts))

    def _with_buffers(self, pair: Units) -> Units:
        """Return a pair with all buffers of its modules that may be exchanged along with it.

        Running statistics that hardly depend on what is normalised, at this start, could as well
        stay where they are: from another start they could not.
        """
        for part in pair.parts:
            for name in self._written[module_of(part.array)]:
                like = self._start[name].shape == self._start[part.array].shape
                if like and name not in pair.arrays:
                    more = replace(pair, parts=(*pair.parts, replace(part, array=name)))
                    pair = more if self.holds(more) else pair
        return pair

    def _find_used_beside(self, name: str, limit: tuple[int, int, int]) -> bool:
        """Return whether the loss depends on what an array has beside a block of an axis."""
        axis, first, last = limit
        size = self._start[name].shape[axis]
        beside = (*range(first), *range(last, size))
        return self.matters(Units("", len(beside), (Part(name, axis, 0, indices=beside),)))

    # Extent

    def _extended(self, pair: Units) -> Units | None:
        """Return all units that may be exchanged with the first; None if none may."""
        ahead = self._alike(pair, range(self._reach(pair)))
        back = min(part.first // part.stride for part in pair.parts)
        if any(
            not self._taken[p.array, p.axis].isdisjoint(
                range(p.first - p.stride, p.first - p.stride + p.block)
            )
            for p in pair.parts
        ):
            back = 0
        before = range(-1, -back - 1, -1)
        units = sorted([*self._alike(pair, [0, *before]), *ahead[1:]])
        whole = range(-back, self._reach(pair))
        if len(units) < len(whole) and self._hold_but_for_buffers(pair, whole):
            units = [*whole]
        return _some(pair, units) if len(units) > 1 else None

    def _hold_but_for_buffers(self, pair: Units, units: Sequence[int]) -> bool:
        """Return whether only buffers of a pair's units tell the others apart, and no loss does.

        A forward that forgets the statistics of one unit is a bug to be seen, no unlike unit.
        """
        kept, leaves = self.excused, self._trace.leaves
        own = {n for n in self._ends if n in pair.arrays and leaves[n] not in self._solver.live}
        self.excused = kept | own
        holds = bool(own) and self.holds(_some(pair, units))
        self.excused = self.excused if holds else kept
        return holds

    def _alike(self, pair: Units, units: Sequence[int]) -> Sequence[int]:
        """Return the units that may be exchanged with the first, a few odd ones between left out.

        Units are numbered from the first of the pair. What does not hold is expensive to see: as
        many as other groups have is tried first, and where that is right no odd one is looked for.
        """

        def fails(count: int) -> bool:
            return not self.holds(_some(pair, units[:count]))

        for count in self._counts:
            if 1 < count < len(units) and not fails(count) and fails(count + 1):
                return units[:count]
        if len(units) < 2 or not fails(len(units)):
            return units
        reach = bisect_left(range(2, len(units)), True, key=fails) + 1
        for odd in (1, 2):
            rest = [units[0], *units[reach + odd :]]
            if len(rest) > 1 and self.holds(_some(pair, rest[:2])):
                return [*units[:reach], *self._alike(pair, rest)[1:]]
        return units[:reach]

    def _apart(self, units: Units) -> list[Units]:
        """Return the units, or those in each slice of another axis, if each may be exchanged alone.

        Hidden units of stacked experts may: every array has an axis of the experts.
        """
        if len(units.parts) == 1 or any(part.within for part in units.parts):
            return [units]
        others: list[dict[int, list[int]]] = []  # axes by their sizes
        for part in units.parts:
            own = defaultdict[int, list[int]](list)
            for axis, size in enumerate(self._start[part.array].shape):
                if size > 1 and axis != part.axis:
                    own[size].append(axis)
            others.append(own)
        choices = (
            (size, axes)
            for size in set.intersection(*map(set, others))
            for axes in itertools.product(*(own[size] for own in others))
        )
        for size, axes in itertools.islice(choices, _AXES):
            slices = (_within_slices(units, axes, place) for place in range(size))
            if all(map(self.holds, slices)):
                return [_within_slices(units, axes, place) for place in range(size)]
        return [units]

    def _reach(self, pair: Units) -> int:
        """Return how many units have room: in each array, and before they run into another part."""
        room = [
            (self._start[p.array].shape[p.axis] - p.first - p.block) // p.stride + 1
            for p in pair.parts
        ]
        for p, q in itertools.permutations(pair.parts, 2):
            if (p.array, p.axis, p.within, p.stride) == (q.array, q.axis, q.within, q.stride):
                gaps = {q.first - p.first + b - a for a in range(p.block) for b in range(q.block)}
                room += [gap // p.stride for gap in gaps if gap > 0 and gap % p.stride == 0]
        return min(map(int, room))


def _is_block(positions: tuple[int, ...], size: int) -> bool:
    """Return whether positions are aligned blocks of an axis in a row: heads, keys and values."""
    first, count = positions[0], len(positions)
    whole = positions == tuple(range(first, first + count))
    return whole and count < size and (count == 1 or math.gcd(first, count, size) > 1)


def _some(pair: Units, units: Sequence[int]) -> Units:
    """Return some of the units that two are known of: numbers count from the first of these."""
    first, count = units[0], len(units)
    parts = [replace(p, first=p.first + first * p.stride) for p in pair.parts]
    if units[-1] - first != count - 1:
        parts = [
            replace(p, first=0, stride=1, indices=tuple(p.first + u * p.stride for u in units))
            for p in pair.parts
        ]
    return replace(pair, count=count, parts=tuple(parts))


def _within_slices(units: Units, axes: Sequence[int], place: int) -> Units:
    """Return units that lie in one slice only of an axis of each part."""
    parts = (
        replace(part, within=((axis, place, place + 1),))
        for part, axis in zip(units.parts, axes, strict=True)
    )
    return replace(units, parts=tuple(parts))


def _exchange(units: Units, u: int, v: int) -> list[Piece]:
    """Return the exchange of two units slice by slice."""
    return [
        (part.array, part.axis, int(i), int(j), part.within)
        for part in units.parts
        for i, j in part.places(units.count)[[u, v]].T
    ]


def _within(inner: Sequence[Piece], outer: Sequence[Piece]) -> bool:
    """Return whether one exchange does all that another does."""
    return all(
        any(piece[:4] == other[:4] and {*other[4]} <= {*piece[4]} for other in outer)
        for piece in inner
    )


def _includes(exchange: Sequence[Piece], known: Units) -> bool:
    """Return whether an exchange includes that of two units of a known group."""
    part = known.parts[0]
    firsts = {first: unit for unit, first in enumerate(part.places(known.count)[:, 0].tolist())}
    return any(
        (array, axis) == (part.array, part.axis)
        and i in firsts
        and j in firsts
        and _within(_exchange(known, firsts[i], firsts[j]), exchange)
        for array, axis, i, j, _ in exchange
    )


def _next_exchanged(axis: int, block: int, place: int) -> Action:
    """Return the exchange of a block of slices with the next one."""
    first = place * block
    return ((axis, tuple((i, i + block) for i in range(first, first + block)), ()),)


def _runs(pairs: Pairs) -> Iterator[tuple[int, int, int]]:
    """Yield the first index, stride and length of the runs of neighbours that are exchanged."""
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
