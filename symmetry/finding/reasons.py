"""Why slices of a parameter belong to no group, and how many units could have room."""

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from symmetry.finding.actions import Action
from symmetry.finding.coverage import Cause, Uncovered, Unequal
from symmetry.finding.naming import module_of
from symmetry.finding.solver import Actions, Solver, Stuck
from symmetry.finding.unequal import Stop, Stops
from symmetry.units.units import Units

Slot = tuple[str, int]  # a leaf and an axis

_SAYS: dict[Cause, str] = {
    "constant": "a constant for each",
    "reshape": "tied by a reshape",
    "place": "taken one by one",
}


@dataclass(frozen=True)
class Reasons:
    """Says of the slices of parameters that belong to no group why they do not.

    Attributes
    ----------
    solver
        Completes exchanges.
    unused
        By axis of a leaf, slices that the loss does not depend on.
    trained, reached
        The parameters that are trained, and which entries of them received a gradient; the latter
        is empty where gradients were not all seen.
    layers
        The axis along which the matrix of a layer makes its units, and how many those are.
    """

    solver: Solver
    unused: Mapping[Slot, Collection[int]]
    trained: Collection[str]
    reached: Mapping[str, NDArray[np.bool_]]
    layers: Mapping[str, tuple[int, int]]

    def uncovered(self, groups: Sequence[Units]) -> Iterator[Uncovered]:
        """Yield the slices of parameters that belong to no group, with the reasons."""
        for slot, silent, rest in self._parted(groups):
            if silent:
                yield Uncovered(*slot, len(silent), "no gradient")
            if rest:
                yield Uncovered(*slot, len(rest), self._why(slot, rest))

    def without_units(self, groups: Sequence[Units]) -> Iterator[Unequal]:
        """Yield the layers that have units in no group where the step does not treat them alike.

        Outputs of the model are none of them, nor is what has to do with the data. Layers of which
        a reshape ties several slices to one unit come last.
        """
        told: set[str] = set()
        stops = itertools.chain(
            ((slot, self._stop(slot, rest)) for slot, _, rest in self._parted(groups) if rest),
            ((slot, stop) for slot, stop in self._ties(groups)),
        )
        for (name, axis), stop in stops:
            making, count = self.layers.get(name, (-1, 0))
            if stop is not None and axis == making and module_of(name) not in told:
                told.add(module_of(name))
                own = (units.count for units in groups if units.along(name, axis))
                node, equal = self.solver.trace.nodes[stop.node], max(own, default=0)
                where = node.operation, node.place
                yield Unequal(module_of(name), count, equal, stop.cause, *where)

    def left(self, groups: Sequence[Units]) -> Iterator[tuple[Slot, list[int]]]:
        """Yield the axes of parameters that have places in no group, with these."""
        for name, value in self.solver.trace.leaves.items():
            shape = self.solver.trace.arrays[value].shape if name in self.trained else ()
            for axis, size in enumerate(shape):
                places = sorted({*range(size)} - _places(groups, name, axis))
                if places:
                    yield (name, axis), places

    def has_gradient(self, name: str) -> bool:
        """Return whether a gradient comes to a leaf."""
        trace = self.solver.trace
        silent = name in self.reached and not self.reached[name].any()
        live = trace.leaves[name] in self.solver.live and bool(trace.arrays[trace.loss].any())
        return live and not silent

    def _parted(self, groups: Sequence[Units]) -> Iterator[tuple[Slot, list[int], list[int]]]:
        """Yield the axes of parameters that have places in no group: the silent ones, the others.

        No gradient comes to those that are silent, or no loss depends on them.
        """
        for (name, axis), places in self.left(groups):
            silent = {*self.unused.get((name, axis), ())}
            if not self.has_gradient(name):
                silent.update(places)
            elif (reached := self.reached.get(name)) is not None:
                others = tuple(other for other in range(reached.ndim) if other != axis)
                silent.update(np.flatnonzero(~reached.any(axis=others)).tolist())
            rest = [place for place in places if place not in silent]
            yield (name, axis), [place for place in places if place in silent], rest

    def _why(self, slot: Slot, places: Sequence[int]) -> str:
        """Say why slices of an axis have no group."""
        if self._size(slot) == 1:
            return "a single slice"
        leaves, stuck = self._exchange(slot, places)
        if stuck is None or stuck.node is None:  # it holds on one batch, and not on another
            return "unlike the others" if len(places) < self._size(slot) else "fixed by the data"
        takes = slot[0] in self.layers and slot[1] != self.layers[slot[0]][0]
        if not takes and self._is_last(stuck.node):
            return "output"
        stop = self._stops.find(leaves, stuck)
        return _SAYS[stop.cause] if stop else self._by_data(slot, stuck.node, stuck.given)

    def _by_data(self, slot: Slot, node: int, given: tuple[Action, ...]) -> str:
        """Say what slices have to do with the data, from where an exchange of them got stuck."""
        numbers = self._stops.numbers(node)
        if self.solver.movement(node) and not numbers.isdisjoint(self._stops.given):
            return "fixed by the data"
        if self.solver.exchanges_data(node, given):
            return "input"
        name, axis = slot
        making = {module_of(layer): making for layer, (making, _) in self.layers.items()}
        vector = len(self.solver.trace.arrays[self.solver.trace.leaves[name]].shape) == 1
        makes = module_of(name) in making and (vector or axis == making[module_of(name)])
        return "unlike the others" if makes else "positions"

    def _stop(self, slot: Slot, places: Sequence[int]) -> Stop | None:
        """Return what does not treat slices alike; None where they have no group for other reasons.

        That is so at outputs, and where the data have a meaning.
        """
        unequal = self._why(slot, places) in _SAYS.values()
        leaves, stuck = self._exchange(slot, places)
        return self._stops.find(leaves, stuck) if unequal and stuck else None

    def _ties(self, groups: Sequence[Units]) -> Iterator[tuple[Slot, Stop | None]]:
        """Yield what ties several slices of a layer to one unit, which are no block of it."""
        for name, (axis, _) in self.layers.items() if self._stops.reshapes else ():
            own = [u for u in groups if len(u.along(name, axis)) > u.count]
            parts = ((u, p) for u in own for p in u.parts if (p.array, p.axis) == (name, axis))
            for units, part in parts:
                if len(part.places(units.count).ravel()) < len(units.along(name, axis)):
                    first, second = part.places(units.count)[:2].tolist()
                    pairs = tuple(zip(first, second, strict=True))
                    leaf = self.solver.trace.leaves[name]
                    yield (name, axis), self._stops.tie({leaf: ((axis, pairs, ()),)})

    def _exchange(self, slot: Slot, places: Sequence[int]) -> tuple[Actions, Stuck | None]:
        """Return the exchange of the first of some slices with its neighbour, and its failure."""
        if slot not in self._tried:
            i = next((p for p in places if p + 1 in places), places[0])
            pair = (i, i + 1) if i + 1 < self._size(slot) else (i - 1, i)
            leaves: Actions = {self.solver.trace.leaves[slot[0]]: ((slot[1], (pair,), ()),)}
            try:
                self.solver.solve(leaves)
            except Stuck as stuck:
                self._tried[slot] = leaves, stuck
            else:
                self._tried[slot] = leaves, None
        return self._tried[slot]

    def _is_last(self, k: int) -> bool:
        """Return whether no weights come after a node: there outputs are."""
        trace = self.solver.trace
        after = trace.downstream({*trace.nodes[k].outputs}) & self.solver.live
        later = {n for value in after for n in trace.users[value]}
        return not any(i in self._weights for n in later for i in trace.nodes[n].inputs)

    def _size(self, slot: Slot) -> int:
        trace = self.solver.trace
        return int(trace.arrays[trace.leaves[slot[0]]].shape[slot[1]])

    @cached_property
    def _stops(self) -> Stops:
        return Stops(self.solver)

    @cached_property
    def _tried(self) -> dict[Slot, tuple[Actions, Stuck | None]]:
        """The exchanges that were tried: the same slices are asked for again."""
        return {}

    @cached_property
    def _weights(self) -> set[int]:
        """The leaves, and what they are when they are transposed, say."""
        found = {*self.solver.trace.names}
        for k, node in enumerate(self.solver.trace.nodes):
            if found.issuperset(node.inputs) and self.solver.movement(k):
                found.update(node.outputs)
        return found


def capacity(units: Units, groups: Sequence[Units], shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Return how many units there could be on the places that no other group takes."""
    free = []
    for part in (part for part in units.parts if not part.arrays):
        own = part.places(units.count).ravel().tolist()
        taken = _places(groups, part.array, part.axis).difference(own)
        free.append((shapes[part.array][part.axis] - len(taken)) // part.block)
    return max(units.count, min(free, default=0))


def units_without_gradient(
    units: Units, gradients: Mapping[str, NDArray[np.bool_]]
) -> tuple[int, ...]:
    """Return the numbers of the units that no gradient reached: of dead ReLUs, unused experts."""
    parts = [part for part in units.parts if {*part.names} <= gradients.keys()]
    if not parts:
        return ()
    reached = np.any([units.rows(gradients, part).any(axis=1) for part in parts], axis=0)
    return tuple(np.flatnonzero(~reached).tolist())


def _places(groups: Sequence[Units], array: str, axis: int) -> set[int]:
    """Return the places of groups along an axis of an array."""
    return {place for units in groups for place in units.along(array, axis)}


def modules_without_gradient(
    trained: Collection[str], reached: Mapping[str, NDArray[np.bool_]]
) -> tuple[str, ...]:
    """Return the paths of modules whose parameters are trained, but receive no gradient.

    Of modules in one another it is the outermost.
    """
    silent: dict[str, bool] = {}
    for name in (name for name in trained if name in reached and name.startswith("model.")):
        words = name.split(".")[1:-1]
        for path in (".".join(words[:place]) for place in range(1, len(words) + 1)):
            silent[path] = silent.get(path, True) and not reached[name].any()
    found = [path for path, nothing in silent.items() if nothing]
    return tuple(sorted(p for p in found if p.rpartition(".")[0] not in found))
