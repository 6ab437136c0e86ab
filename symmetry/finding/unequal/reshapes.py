"""Reshapes that tie entries of different units together: mostly a transpose is missing there."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from symmetry.finding.exchange.actions import Actions
from symmetry.finding.exchange.propagation import Stuck
from symmetry.finding.exchange.tolerance import Array
from symmetry.finding.solver import Solver
from symmetry.training.trace import Node, Trace

Shape = tuple[int, ...]


def is_reshape(solver: Solver, k: int) -> bool:
    """Return whether a node puts the entries of one array, in their order, into other axes.

    An operation that only splits axes, or only joins them, does not count: it keeps units together.
    """
    node, arrays = solver.trace.nodes[k], solver.trace.arrays
    if len(node.outputs) != 1 or len(node.inputs) != 1:
        return False
    if node.inputs[0] not in solver.trace.from_leaves:
        return False
    if not _mixes_axes(arrays[node.inputs[0]].shape, arrays[node.outputs[0]].shape):
        return False
    movement = solver.operations.movement(k)
    if movement is None:
        return False
    (own,) = movement.inputs.values()
    return np.array_equal(own.ravel(), movement.outputs[0].ravel())


def reshapes_to_transpose(
    solver: Solver, leaves: Actions, most: int, trials: Iterator[int]
) -> tuple[int, ...] | None:
    """Return the reshapes at which two axes have to be transposed to complete an exchange.

    These are ``most`` at the most. None if that does not complete it, or no trials are left.
    """
    try:
        solver.solve(leaves, alone=True)
    except Stuck as stuck:
        if most == 0 or stuck.node is None:
            return None
        moved = solver.trace.downstream({*leaves})
        for k in range(stuck.node + 1):
            if not moved.isdisjoint(solver.trace.nodes[k].inputs) and is_reshape(solver, k):
                for trace in _transposed(solver, k, trials):
                    other = Solver(trace, like=solver.operations)
                    more = reshapes_to_transpose(other, leaves, most - 1, trials)
                    if more is not None:
                        return (k, *more)
        return None
    return ()


def _mixes_axes(old: Shape, new: Shape) -> bool:
    """Return whether several axes become several others: no axis is merely split or joined."""
    ends = [[*itertools.accumulate(shape, int.__mul__)] for shape in (old, new)]
    if not (ends[0] and ends[1] and ends[0][-1] == ends[1][-1]):
        return False
    common, low = sorted({*ends[0]} & {*ends[1]}), 1
    for end in common:
        inside = [sum(low < each < end for each in {*own}) for own in ends]
        if min(inside) > 0:
            return True
        low = end
    return False


def _transposed(solver: Solver, k: int, trials: Iterator[int]) -> Iterator[Trace]:
    """Yield traces in which two axes are transposed before a reshape, or after it.

    Reshapes of one line are transposed together: those of queries, keys and values. The inner axes
    come first: the first one, which samples usually have, is rarely in the wrong place.
    """
    trace = solver.trace
    old, new = _shapes(trace, k)
    similar = [
        n
        for n, node in enumerate(trace.nodes)
        if (node.place, node.operation) == (trace.nodes[k].place, trace.nodes[k].operation)
        and _shapes(trace, n) == (old, new)
        and is_reshape(solver, n)
    ]
    choices = [
        (i == 0, j - i, partial(change, new, i, j))
        for shape, change in ((old, _transposed_before), (new, _transposed_after))
        for i, j in itertools.combinations(range(len(shape)), 2)
        if min(shape[i], shape[j]) > 1
    ]
    for *_, change in sorted(choices, key=lambda choice: choice[:2]):
        if next(trials, None) is not None:
            changed = _replaced(trace, similar, change)
            if changed is not None:
                yield changed


def _shapes(trace: Trace, k: int) -> tuple[Shape, Shape]:
    """Return the shapes of a node's first input and first output."""
    node = trace.nodes[k]
    taken = trace.arrays[node.inputs[0]].shape if node.inputs else ()
    return taken, trace.arrays[node.outputs[0]].shape if node.outputs else ()


def _transposed_before(new: Shape, i: int, j: int, array: Array) -> Array:
    return np.ascontiguousarray(array.swapaxes(i, j).reshape(new))


def _transposed_after(new: Shape, i: int, j: int, array: Array) -> Array:
    between = [*new]
    between[i], between[j] = between[j], between[i]
    return np.ascontiguousarray(array.reshape(between).swapaxes(i, j))


def _replaced(trace: Trace, some: Sequence[int], change: Callable[[Array], Array]) -> Trace | None:
    """Return the trace in which some nodes perform another change, with all later values.

    None if a later operation does not take the changed values.
    """
    new = replace(trace, nodes=[*trace.nodes], arrays=[*trace.arrays])
    others: set[int] = set()  # the values that the new trace changes

    def on_new_values(node: Node, arrays: Mapping[int, Array]) -> list[Array]:
        own = {x: new.arrays[i] for x, i in enumerate(node.inputs) if i in others}
        return node.perform({**own, **arrays})

    def changed(node: Node, arrays: Mapping[int, Array]) -> list[Array]:
        return [change(arrays.get(0, new.arrays[node.inputs[0]]))]

    for k, node in enumerate(trace.nodes):
        if k not in some and others.isdisjoint(node.inputs):
            continue
        perform = partial(changed if k in some else on_new_values, node)
        new.nodes[k] = replace(node, perform=perform)
        results = new.perform(k, {})
        if results is None:
            return None
        for output, result in zip(node.outputs, results, strict=True):
            new.arrays[output] = result
            others.add(output)
    return new
