"""Why slices of a parameter belong to no group, and how many units there is room for."""

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from symmetry.finding.coverage import Uncovered
from symmetry.finding.solver import Solver, Stuck
from symmetry.units.units import Units


def uncovered(
    groups: Sequence[Units],
    solver: Solver,
    failures: Mapping[tuple[str, int], Stuck],
    trainable: Collection[str],
) -> Iterator[Uncovered]:
    """Yield the slices of parameters that belong to no group, each axis with its reason."""
    for name, value in solver.trace.leaves.items():
        if name not in trainable:
            continue
        for axis, size in enumerate(solver.trace.arrays[value].shape):
            left = size - len(_places(groups, name, axis))
            if left:
                why = _why(solver, value, size, failures.get((name, axis)))
                if why == "unlike the others" and left == size:
                    why = "fixed by the data"
                yield Uncovered(name, axis, left, why)


def room(units: Units, groups: Sequence[Units], shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Return how many units there could be on the places that no other group takes."""
    free = []
    for part in (part for part in units.parts if not part.arrays):
        own = part.places(units.count).ravel().tolist()
        taken = _places(groups, part.array, part.axis).difference(own)
        free.append((shapes[part.array][part.axis] - len(taken)) // part.block)
    return max(units.count, min(free, default=0))


def idle(units: Units, gradients: Mapping[str, NDArray[np.bool_]]) -> tuple[int, ...]:
    """Return the numbers of the units that no gradient reached: of dead ReLUs, unused experts."""
    parts = [part for part in units.parts if {*part.names} <= gradients.keys()]
    if not parts:
        return ()
    reached = np.any([units.rows(gradients, part).any(axis=1) for part in parts], axis=0)
    return tuple(np.flatnonzero(~reached).tolist())


def _places(groups: Sequence[Units], array: str, axis: int) -> set[int]:
    """Return the places of groups along an axis of an array."""
    return {place for units in groups for place in units.along(array, axis)}


def _why(solver: Solver, leaf: int, size: int, stuck: Stuck | None) -> str:
    """Say what stands in the way of an exchange, from the operation at which it got stuck."""
    if leaf not in solver.live or not solver.trace.arrays[solver.trace.loss].any():
        return "no gradient"
    if size == 1:
        return "a single slice"
    if stuck is None or stuck.node is None:
        return "unlike the others"
    trace, node = solver.trace, solver.trace.nodes[stuck.node]
    after = trace.downstream({*node.outputs}) & solver.live
    later = {k for value in after for k in trace.users[value]}
    weights = _weights(solver)
    if not any(i in weights for k in later for i in trace.nodes[k].inputs):
        return "output"
    if solver.movement(stuck.node):
        return "fixed by the data"
    if solver.exchanges_data(stuck.node, stuck.given):
        return "input"
    return "positions"


def _weights(solver: Solver) -> set[int]:
    """Return the leaves, and what they are when they are transposed, say."""
    found = {*solver.trace.names}
    for k, node in enumerate(solver.trace.nodes):
        if found.issuperset(node.inputs) and solver.movement(k):
            found.update(node.outputs)
    return found
