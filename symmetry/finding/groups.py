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
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from symmetry.finding.coverage import Tell
from symmetry.finding.exchange.actions import Action, Actions
from symmetry.finding.exchange.propagation import Stuck
from symmetry.finding.grouping.extension import Extension, split
from symmetry.finding.grouping.pair import PairMaker, SwappedSlices
from symmetry.finding.grouping.proof import Proof
from symmetry.finding.grouping.seeds import block_axes, neighbours
from symmetry.finding.solver import Solver
from symmetry.units.units import Part, Units

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
