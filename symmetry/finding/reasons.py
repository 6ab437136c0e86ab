"""Why slices of a parameter belong to no group."""

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from symmetry.finding.coverage import Cause, Uncovered, Unequal, places_of
from symmetry.finding.exchange.actions import Action, Actions
from symmetry.finding.exchange.propagation import Stuck
from symmetry.finding.naming import module_of
from symmetry.finding.solver import Solver
from symmetry.finding.unequal import Stop, Stops
from symmetry.observe.source_line import SourceLine
from symmetry.units.units import Units

LeafAxis = tuple[str, int]

_REASONS: dict[Cause, str] = {
    "constant": "a constant for each",
    "reshape": "tied by a reshape",
    "place": "taken one by one",
}


@dataclass(frozen=True)
class Reasons:
    """Gives the reasons why slices of parameters belong to no group."""

    solver: Solver  # completes exchanges
    # Slices, by leaf and axis, that the loss does not depend on.
    unused: Mapping[LeafAxis, Collection[int]]
    # The parameters that are trained, and which of their entries received a gradient; the latter is
    # empty if not all gradients could be observed.
    trained: Collection[str]
    gradients: Mapping[str, NDArray[np.bool_]]
    # The axis along which the matrix of a layer makes its units, and how many these are.
    layers: Mapping[str, tuple[int, int]]

    def uncovered(self, groups: Sequence[Units]) -> Iterator[Uncovered]:
        """Yield the slices of parameters that belong to no group, with the reasons."""
        for slot, silent, rest in self._uncovered_axes(groups):
            if silent:
                yield Uncovered(*slot, len(silent), "no gradient")
            if rest:
                yield Uncovered(*slot, len(rest), self._reason(slot, rest))

    def without_units(self, groups: Sequence[Units]) -> Iterator[Unequal]:
        """Yield the layers with units in no group, if the step does not treat these equally.

        Outputs of the model do not count, nor do inputs and positions. Layers of which a reshape
        ties several slices to one unit come last.
        """
        modules: set[str] = set()
        stops = itertools.chain(
            (
                (slot, self._stop(slot, rest))
                for slot, _, rest in self._uncovered_axes(groups)
                if rest
            ),
            ((slot, stop) for slot, stop in self._tied_units(groups)),
        )
        for (name, axis), stop in stops:
            making, count = self.layers.get(name, (-1, 0))
            if stop is not None and axis == making and module_of(name) not in modules:
                modules.add(module_of(name))
                own = (units.count for units in groups if units.along(name, axis))
                node, equal = self.solver.trace.nodes[stop.node], max(own, default=0)
                operation = node.operation, node.place
                yield Unequal(module_of(name), count, equal, stop.cause, *operation)

    def stops(self, groups: Sequence[Units]) -> Iterator[tuple[LeafAxis, SourceLine]]:
        """Yield the axes that an operation does not treat equally, with the user's line of it."""
        for slot, _, rest in self._uncovered_axes(groups):
            if rest and (stop := self._stop(slot, rest)) is not None:
                yield slot, self.solver.trace.nodes[stop.node].place

    def free_axes(self, groups: Sequence[Units]) -> Iterator[tuple[LeafAxis, list[int]]]:
        """Yield the axes of trained parameters that have slices in no group, with these."""
        for name, value in self.solver.trace.leaves.items():
            shape = self.solver.trace.arrays[value].shape if name in self.trained else ()
            for axis, size in enumerate(shape):
                places = sorted({*range(size)} - places_of(groups, name, axis))
                if places:
                    yield (name, axis), places

    def has_gradient(self, name: str) -> bool:
        """Return whether a leaf receives a gradient."""
        trace = self.solver.trace
        silent = name in self.gradients and not self.gradients[name].any()
        live = trace.leaves[name] in trace.into_loss and bool(trace.arrays[trace.loss].any())
        return live and not silent

    def _uncovered_axes(
        self, groups: Sequence[Units]
    ) -> Iterator[tuple[LeafAxis, list[int], list[int]]]:
        """Yield the axes that have slices in no group: those without gradient, and the others."""
        for (name, axis), places in self.free_axes(groups):
            silent = {*self.unused.get((name, axis), ())}
            if not self.has_gradient(name):
                silent.update(places)
            elif (entries := self.gradients.get(name)) is not None:
                others = tuple(other for other in range(entries.ndim) if other != axis)
                silent.update(np.flatnonzero(~entries.any(axis=others)).tolist())
            rest = [place for place in places if place not in silent]
            yield (name, axis), [place for place in places if place in silent], rest

    def _reason(self, slot: LeafAxis, places: Sequence[int]) -> str:
        """Return why slices of an axis belong to no group."""
        if self._size(slot) == 1:
            return "a single slice"
        leaves, stuck = self._exchange(slot, places)
        if stuck is None or stuck.node is None:  # the exchange holds on one batch, not on another
            return "unlike the others" if len(places) < self._size(slot) else "fixed by the data"
        takes = slot[0] in self.layers and slot[1] != self.layers[slot[0]][0]
        if not takes and self._is_last(stuck.node):
            return "output"
        stop = self._stops.find(leaves, stuck)
        return (
            _REASONS[stop.cause]
            if stop
            else self._reason_in_data(slot, stuck.node, stuck.input_actions)
        )

    def _reason_in_data(self, slot: LeafAxis, node: int, input_actions: tuple[Action, ...]) -> str:
        """Return how slices depend on the data, if an exchange of them got stuck at a node."""
        integers = self._stops.integers(node)
        moves = self.solver.operations.movement(node)
        if moves and not integers.isdisjoint(self._stops.constants.data):
            return "fixed by the data"
        if self.solver.exchanges_data(node, input_actions):
            return "input"
        name, axis = slot
        making = {module_of(layer): making for layer, (making, _) in self.layers.items()}
        vector = len(self.solver.trace.arrays[self.solver.trace.leaves[name]].shape) == 1
        makes = module_of(name) in making and (vector or axis == making[module_of(name)])
        return "unlike the others" if makes else "positions"

    def _stop(self, slot: LeafAxis, places: Sequence[int]) -> Stop | None:
        """Return the stop of an exchange of slices; None if they have another reason."""
        unequal = self._reason(slot, places) in _REASONS.values()
        leaves, stuck = self._exchange(slot, places)
        return self._stops.find(leaves, stuck) if unequal and stuck else None

    def _tied_units(self, groups: Sequence[Units]) -> Iterator[tuple[LeafAxis, Stop | None]]:
        """Yield layers whose units have several slices that form no block, each with their stop."""
        for name, (axis, _) in self.layers.items() if self._stops.reshapes else ():
            own = [u for u in groups if len(u.along(name, axis)) > u.count]
            parts = ((u, p) for u in own for p in u.parts if (p.array, p.axis) == (name, axis))
            for units, part in parts:
                if len(part.places(units.count).ravel()) < len(units.along(name, axis)):
                    first, second = part.places(units.count)[:2].tolist()
                    pairs = tuple(zip(first, second, strict=True))
                    leaf = self.solver.trace.leaves[name]
                    yield (name, axis), self._stops.reshape({leaf: ((axis, pairs, ()),)})

    def _exchange(self, slot: LeafAxis, places: Sequence[int]) -> tuple[Actions, Stuck | None]:
        """Return the exchange of the first of some slices with its neighbour, and its failure."""
        if slot not in self._exchanges:
            i = next((p for p in places if p + 1 in places), places[0])
            pair = (i, i + 1) if i + 1 < self._size(slot) else (i - 1, i)
            leaves: Actions = {self.solver.trace.leaves[slot[0]]: ((slot[1], (pair,), ()),)}
            try:
                self.solver.solve(leaves)
            except Stuck as stuck:
                self._exchanges[slot] = leaves, stuck
            else:
                self._exchanges[slot] = leaves, None
        return self._exchanges[slot]

    def _is_last(self, k: int) -> bool:
        """Return whether no weights come after a node: then its outputs are the model's."""
        trace = self.solver.trace
        after = trace.downstream({*trace.nodes[k].outputs}) & trace.into_loss
        later = {n for value in after for n in trace.users[value]}
        return not any(i in self._weights for n in later for i in trace.nodes[n].inputs)

    def _size(self, slot: LeafAxis) -> int:
        trace = self.solver.trace
        return int(trace.arrays[trace.leaves[slot[0]]].shape[slot[1]])

    @cached_property
    def _stops(self) -> Stops:
        return Stops(self.solver)

    @cached_property
    def _exchanges(self) -> dict[LeafAxis, tuple[Actions, Stuck | None]]:
        """The exchanges that were tried, which are needed several times."""
        return {}

    @cached_property
    def _weights(self) -> set[int]:
        """The leaves, and their transposes and other views."""
        weights = {*self.solver.trace.names}
        for k, node in enumerate(self.solver.trace.nodes):
            if weights.issuperset(node.inputs) and self.solver.operations.movement(k):
                weights.update(node.outputs)
        return weights
