"""Why slices of a parameter belong to no group, and how many units there is room for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from symmetry.targets.coverage import Uncovered
from symmetry.targets.finding.solver import Solver, Stuck
from symmetry.units.units import Part, Units


def uncovered(
    groups: Sequence[Units],
    solver: Solver,
    failures: Mapping[tuple[str, int], Stuck],
    trainable: set[str],
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


def room(units: Units, groups: Sequence[Units], solver: Solver) -> int:
    """Return how many units there could be: with those between and beside them that are odd.

    Places count up to the end of the axis, to the next part of the same units, and to the places
    of another group.
    """
    along = [part for part in units.parts if not part.arrays]
    most = min((_room(part, units, groups, solver) for part in along), default=0)
    return max(units.count, most)


def _room(part: Part, units: Units, groups: Sequence[Units], solver: Solver) -> int:
    size = solver.trace.arrays[solver.trace.leaves[part.array]].shape[part.axis]
    own = part.places(units.count)
    others = [u for u in groups if u is not units]
    taken = _places(others, part.array, part.axis)
    for twin in units.parts:
        if twin is not part and (twin.array, twin.axis) == (part.array, part.axis):
            taken |= {*twin.places(units.count).ravel().tolist()}
    taken -= {*own.ravel().tolist()}
    step = part.stride if part.indices is None else int(np.diff(own[:, 0]).min(initial=size))
    count = int(own[-1, 0] - own[0, 0]) // step + 1
    for direction, edge in ((-1, int(own[0, 0])), (1, int(own[-1, 0]))):
        place = edge + direction * step
        while 0 <= place <= size - part.block and taken.isdisjoint(
            range(place, place + part.block)
        ):
            count += 1
            place += direction * step
    return count


def _places(groups: Sequence[Units], array: str, axis: int) -> set[int]:
    return {
        place
        for units in groups
        for part in units.parts
        if (part.array, part.axis, part.arrays) == (array, axis, ())
        for place in part.places(units.count).ravel().tolist()
    }


def _why(solver: Solver, leaf: int, size: int, stuck: Stuck | None) -> str:
    """Say what stands in the way of an exchange, from the operation at which it got stuck."""
    if leaf not in solver.live or not solver.trace.arrays[-1].any():  # the last one is the loss
        return "no gradient"
    if size == 1:
        return "a single slice"
    if stuck is None or stuck.node is None:
        return "unlike the others"
    trace, node = solver.trace, solver.trace.nodes[stuck.node]
    after = trace.downstream({*node.outputs})
    later = {k for value in after for k in trace.users.get(value, ())}
    if not any(i in trace.names for k in later for i in trace.nodes[k].inputs):
        return "output"
    if solver.moves(stuck.node):
        return "fixed by the data"
    if solver.exchanges_data(stuck.node, stuck.given):
        return "input"
    return "positions"
