"""From exchanges of two units to groups: how far they reach, and whether they hold."""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from symmetry.targets.coverage import Progress
from symmetry.targets.finding import actions
from symmetry.targets.finding.actions import Action, Array, Pairs
from symmetry.targets.finding.solver import Solver, Stuck, is_block
from symmetry.units.units import Part, Units

_FAR = 64  # units before the seed that are tried one by one
_BUFFERS = 1e-9  # relative: how exactly buffers have to move along

Exchange = frozenset[tuple[str, int, int, int, tuple[tuple[int, int], ...]]]


@dataclass(frozen=True)
class Group:
    """Units in the making: the parts are counted from the seed, the first unit that was tried.

    Attributes
    ----------
    parts
        Unit u begins at ``first + u * stride``; u may be negative.
    members
        The numbers of the units.
    """

    parts: tuple[Part, ...]
    members: tuple[int, ...]

    def units(self, members: Sequence[int] | None = None, name: str = "") -> Units:
        """Return some of the units, or all, as a value."""
        members = self.members if members is None else members
        first, count = members[0], len(members)
        if [*members] == [*range(first, first + count)]:
            parts = (replace(p, first=p.first + first * p.stride) for p in self.parts)
        else:
            parts = (
                replace(
                    p, first=0, stride=1, indices=tuple(p.first + u * p.stride for u in members)
                )
                for p in self.parts
            )
        return Units(name, count, tuple(parts))


class Groups:
    """Finds all groups of one trace.

    Parameters
    ----------
    solver
        Completes exchanges.
    loss
        The number of the value that has to stay.
    tolerance
        By how much it may change, relative.
    trainable
        The leaves that require a gradient. A group has a part in one of them.
    progress
        Is told which leaf's slices are tried next.

    Attributes
    ----------
    found
        The groups.
    failures
        Why the last seed along an axis of a leaf came to nothing.
    """

    def __init__(
        self,
        solver: Solver,
        loss: int,
        tolerance: float,
        trainable: set[str],
        progress: Progress,
    ) -> None:
        self.found: list[Group] = []
        self.failures: dict[tuple[str, int], Stuck] = {}
        self._solver = solver
        self._trace = solver.trace
        self._loss = loss
        self._tolerance = tolerance
        self._trainable = trainable
        self._progress = progress
        self._start = {name: self._trace.arrays[i] for name, i in self._trace.leaves.items()}
        self._finals = {
            self._trace.final(name): name
            for name, leaf in self._trace.leaves.items()
            if self._trace.final(name) != leaf
        }
        self._kept = self._trace.upstream({loss, *self._finals})
        self._taken: dict[tuple[str, int], set[int]] = defaultdict(set)
        self._limited: dict[str, set[int]] = defaultdict(set)  # axes of leaves with conditions
        self._sizes = {size for array in self._trace.arrays for size in array.shape}

    def find(self) -> list[Group]:
        """Try all seeds: slices of leaves, slices of views that have new axes, and blocks."""
        for number, (name, array) in enumerate(self._start.items()):
            self._progress(name, number, len(self._start))
            for axis in range(array.ndim):
                self._try_slices(name, axis, array.shape[axis])
        self._progress("heads and groups", len(self._start), len(self._start))
        tried: dict[frozenset[tuple[int, Action]], Group | None] = {}
        for value, at, count in self._blocks():
            place = 0
            while place + 1 < count:
                leaves = self._solver.pulled(value, at(place))
                if not leaves:
                    break
                key = frozenset(leaves.items())
                if key not in tried:
                    tried[key] = self._try(value, at(place))
                group = tried[key]
                if group is None:
                    break
                place += len(group.members)
        return self.found

    def holds(self, units: Units) -> bool:
        """Return whether the loss stays, and buffers move along, when all units are rotated."""
        order = np.roll(np.arange(units.count), 1)
        rotated = units.rearranged(self._start, order)
        new = self._replayed({name: rotated[name] for name in units.arrays})
        if new is None:
            return False
        ends = {name: self._trace.arrays[i] for i, name in self._finals.items()}
        wanted = units.rearranged(ends, order)
        return all(
            actions.same(wanted[name], new.get(i, self._trace.arrays[i]), _BUFFERS)
            for i, name in self._finals.items()
        )

    def matters(self, units: Units) -> bool:
        """Return whether the loss depends on the units at all: their slices may never be used."""
        changed = dict(self._start)
        for part in units.parts:
            array = changed[part.array] = np.array(changed[part.array], order="C")
            view, places = part.view(array), part.places(units.count).ravel()
            view[places] = view[places] * 1.37 + 0.11
        return self._replayed({name: changed[name] for name in units.arrays}) is None

    def _replayed(self, leaves: Mapping[str, Array]) -> dict[int, Array] | None:
        """Return the values that change with these leaves; None if the loss is among them.

        Only what comes after the leaves is performed again, until results are what they were.
        """
        new = {self._trace.leaves[name]: array for name, array in leaves.items()}
        queue = sorted({k for i in new for k in self._trace.users.get(i, ())})
        queued = set(queue)
        while queue:
            k = heapq.heappop(queue)
            node = self._trace.nodes[k]
            results = self._solver.perform(
                k, {x: new[i] for x, i in enumerate(node.inputs) if i in new}
            )
            if results is None:
                return None
            for value, result in zip(node.outputs, results, strict=True):
                if value not in self._kept or actions.same(
                    self._trace.arrays[value], result, self._tolerance
                ):
                    continue
                if value == self._loss:
                    return None
                new[value] = result
                for user in self._trace.users.get(value, ()):
                    if user not in queued:
                        queued.add(user)
                        heapq.heappush(queue, user)
        return new

    # Seeds

    def _try_slices(self, name: str, axis: int, size: int) -> None:
        place, failed = 0, 0
        while place + 1 < size and failed < 2:
            if not self._taken[name, axis].isdisjoint((place, place + 1)):
                place += 1
                continue
            seed = ((axis, ((place, place + 1),), ()),)
            if self._try(self._trace.leaves[name], seed, (name, axis)) is None:
                failed += 1
                place = max(size // 2, place + 1)

    def _blocks(self) -> Iterator[tuple[int, Callable[[int], Action], int]]:
        """Yield values, the action that exchanges block i with the next, the number of blocks."""
        trace, solver = self._trace, self._solver
        for k, node in enumerate(trace.nodes):
            if solver.moves(k):
                for q, value in enumerate(node.outputs):
                    if value in solver.reached and value in solver.live:
                        for axis, size in enumerate(trace.arrays[value].shape):
                            if size > 1 and self._is_new(k, q, axis):
                                yield value, _slices(axis, 1), size
            for value in {*node.inputs} & trace.names.keys():
                size = trace.arrays[value].shape[0] if trace.arrays[value].ndim else 0
                for count in sorted(node.integers):
                    if 1 < count < size and size % count == 0:
                        yield value, _slices(0, size // count), count

    def _is_new(self, k: int, q: int, axis: int) -> bool:
        """Return whether an axis of an output is none of the inputs' axes: a view made it."""
        return not any(
            (q, axis) in self._solver.tied(k, x, a)
            for x, i in enumerate(self._trace.nodes[k].inputs)
            for a in range(self._trace.arrays[i].ndim)
        )

    def _try(self, value: int, action: Action, slot: tuple[str, int] | None = None) -> Group | None:
        """Return the group that an exchange belongs to: one that is known, or a new one."""
        try:
            solution = self._solver.solve(value, action)
        except Stuck as stuck:
            if slot is not None:
                self.failures[slot] = stuck
            return None
        parts = self._parts(solution)
        if not parts or not self._trainable & solution.keys():
            return None
        group = Group(parts, (0, 1))
        known = next((h for h in self.found if self._contains(group, h)), None)
        if known is not None:
            return known
        if not self.holds(group.units()) or not self.matters(group.units()):
            return None
        group = self._extended(group)
        own = self._exchange(group, *group.members[:2])
        self.found = [h for h in self.found if not own < self._exchange(h, *h.members[:2])]
        for piece in self._pieces(group):
            self.found.append(piece)
            for part, places in zip(piece.parts, self._places(piece), strict=True):
                self._taken[part.array, part.axis] |= places
                self._limited[part.array] |= {axis for axis, _, _ in part.where}
        return group

    def _parts(self, solution: Mapping[str, Action]) -> tuple[Part, ...]:
        """Return where the two units of an exchange lie; nothing where a condition is no block."""
        parts = []
        for name, action in solution.items():
            shape = self._start[name].shape
            for axis, pairs, where in action:
                if not all(is_block(p, shape[a]) for a, p in where):
                    return ()
                ranges = tuple((a, p[0], p[-1] + 1) for a, p in where)
                parts += [
                    Part(name, axis, first, stride, block, None, ranges)
                    for first, stride, block in _runs(pairs)
                ]
        return tuple(parts)

    # Extent

    def _extended(self, group: Group) -> Group:
        """Return the group with all units that may be exchanged with the two that are known."""
        members = [*range(self._reach(group))]
        if len(members) > 2 and not self.holds(group.units(members)):
            members = self._bisected(group, members)
        back = min(part.first // part.stride for part in group.parts)
        before = [
            u
            for u in range(-back, 0)
            if not any(
                place in self._taken[part.array, part.axis]
                for part in group.parts
                for place in range(
                    part.first + u * part.stride, part.first + u * part.stride + part.block
                )
            )
        ]
        if before and not self.holds(group.units([*before, *members])):
            before = [u for u in before if self.holds(group.units([u, 0]))][-_FAR:]
        return replace(group, members=(*before, *members))

    def _reach(self, group: Group) -> int:
        """Return how many units have room: in each array, and before they run into another part."""
        most: int = min(
            (self._start[p.array].shape[p.axis] - p.first - p.block) // p.stride + 1
            for p in group.parts
        )
        for p, q in itertools.permutations(group.parts, 2):
            if (p.array, p.axis, p.where, p.stride) == (q.array, q.axis, q.where, q.stride):
                for a in range(p.first, p.first + p.block):
                    for b in range(q.first, q.first + q.block):
                        if b > a and (b - a) % p.stride == 0:
                            most = min(most, (b - a) // p.stride)
        return most

    def _bisected(self, group: Group, members: list[int]) -> list[int]:
        low, high = 2, len(members)
        for size in sorted(self._sizes & {*range(3, high)}, reverse=True)[:4]:
            if self.holds(group.units(members[:size])):
                low = size
                if not self.holds(group.units(members[: size + 1])):
                    high = size + 1
                break
            high = size
        while high - low > 1:
            middle = (low + high) // 2
            if self.holds(group.units(members[:middle])):
                low = middle
            else:
                high = middle
        kept = members[:low]
        for unit in members[low + 1 : low + 3]:  # an odd unit must not hide the rest
            if self.holds(group.units([0, unit])):
                rest = members[unit:]
                if not self.holds(group.units([*kept, *rest])):
                    rest = [u for u in rest if self.holds(group.units([0, u]))]
                return [*kept, *rest]
        return kept

    def _pieces(self, group: Group) -> list[Group]:
        """Split a group whose units may be exchanged within each index of an axis by itself."""
        if any(part.where for part in group.parts):
            return [group]
        axes = [
            {
                size: a
                for a, size in enumerate(self._start[p.array].shape)
                if a != p.axis and size > 1
            }
            for p in group.parts
        ]
        for size in set.intersection(*map(set, axes)):
            pieces = [
                replace(
                    group,
                    parts=tuple(
                        replace(p, where=((a[size], e, e + 1),))
                        for p, a in zip(group.parts, axes, strict=True)
                    ),
                )
                for e in range(size)
            ]
            if all(self.holds(piece.units()) for piece in pieces):
                return pieces
        return [group]

    # Comparing

    def _places(self, group: Group) -> list[set[int]]:
        units = group.units()
        return [{*part.places(units.count).ravel().tolist()} for part in units.parts]

    def _exchange(self, group: Group, u: int, v: int) -> Exchange:
        """Return the exchange of two units in its smallest pieces."""
        found = set()
        for part in group.parts:
            shape, where = self._start[part.array].shape, dict[int, range]()
            for axis, start, stop in part.where:
                where[axis] = range(start, stop)
            for axis in self._limited[part.array]:
                if axis != part.axis:
                    where.setdefault(axis, range(shape[axis]))
            cells = [
                tuple(zip(sorted(where), cell, strict=True))
                for cell in itertools.product(*(where[a] for a in sorted(where)))
            ]
            for first in range(part.first, part.first + part.block):
                pair = first + u * part.stride, first + v * part.stride
                found |= {(part.array, part.axis, *pair, cell) for cell in cells}
        return frozenset(found)

    def _contains(self, group: Group, known: Group) -> bool:
        """Return whether exchanging the two units exchanges two units of a known group."""
        own, part = self._exchange(group, 0, 1), known.parts[0]
        for array, axis, i, j, _ in own:
            (u, r), (v, t) = (divmod(place - part.first, part.stride) for place in (i, j))
            whole = (array, axis, r, t) == (part.array, part.axis, 0, 0)
            units = whole and {u, v} <= {*known.members}
            if units and self._exchange(known, u, v) <= own:
                return True
        return False


def _slices(axis: int, block: int) -> Callable[[int], Action]:
    def exchange(place: int) -> Action:
        first = place * block
        pairs = tuple((i, i + block) for i in range(first, first + block))
        return ((axis, pairs, ()),)

    return exchange


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
