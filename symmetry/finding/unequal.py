"""The operation that stops an exchange, identified by removing possible causes.

A constant holds a different number for each unit if the exchange of units is completed once the
constant's entries may be exchanged, too. A reshape ties entries of different units if the exchange
is completed once two axes are transposed there. No operation is known by its name. Where a
reshape is to blame, mostly a transpose is missing.
"""

import itertools
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from symmetry.finding.coverage import Cause
from symmetry.finding.exchange.actions import Actions
from symmetry.finding.exchange.propagation import Stuck
from symmetry.finding.exchange.tolerance import Array
from symmetry.finding.solver import Solver
from symmetry.observe.source_line import SourceLine
from symmetry.training.trace import Node, Trace

_CONSTANT = "#"  # before the number of a constant, which has no name

Shape = tuple[int, ...]


class GuiltyConstants:
    """Finds the constant without which an exchange could be completed, in one trace.

    Constants are values that come from no leaf and no sample. If an exchange is completed as soon
    as their entries may be exchanged as well, one of them treats the units differently.
    """

    def __init__(self, trace: Trace) -> None:
        self._trace = trace

    def node(self, leaves: Actions, stuck: int) -> int | None:
        """Return the node that takes the guilty constant, of an exchange stuck at a node."""
        if self._solver is None:
            return None
        try:
            moved, _ = self._solver.solve(leaves)
        except Stuck:
            return None
        constants = {int(name[1:]) for name in moved if name.startswith(_CONSTANT)}
        nodes = [k for k in self._meeting if not constants.isdisjoint(self._trace.nodes[k].inputs)]
        return stuck if stuck in nodes else next(iter(nodes), None)

    @cached_property
    def data(self) -> set[int]:
        """The values that come from outside of the step, and all that is computed from them."""
        trace = self._trace
        outside = {i for i in range(len(trace.arrays)) if i not in trace.maker}
        return trace.downstream(outside - {*trace.names})

    @cached_property
    def _solver(self) -> Solver | None:
        """A solver that takes constants for leaves; None if there are none."""
        constants = {
            f"{_CONSTANT}{i}": i
            for k in self._meeting
            for i in self._trace.nodes[k].inputs
            if self._is_constant(i, k)
        }
        if not constants:
            return None
        leaves, finals = self._trace.leaves | constants, self._trace.finals | constants
        return Solver(replace(self._trace, leaves=leaves, finals=finals))

    @cached_property
    def _meeting(self) -> list[int]:
        """The nodes that take both values that come from leaves and others."""
        from_leaves = self._trace.from_leaves
        inputs = [{*node.inputs} for node in self._trace.nodes]
        return [k for k, own in enumerate(inputs) if own & from_leaves and own - from_leaves]

    def _is_constant(self, value: int, k: int) -> bool:
        """Return whether a value that a node takes is a constant.

        It is used for all samples: the result has more axes. A value from outside of the step may
        be the batch, so it counts only if it has a single axis.
        """
        array = self._trace.arrays[value]
        if value in self._trace.from_leaves or array.dtype.kind != "f" or array.size < 2:
            return False
        result = self._trace.arrays[self._trace.nodes[k].outputs[0]]
        vector = max(array.shape) == array.size
        return (vector or value not in self.data) and _is_broadcast(array.shape, result.shape)


def _is_broadcast(shape: Shape, result: Shape) -> bool:
    """Return whether an array of this shape is used several times in a result: broadcast."""
    pairs = [*zip(reversed(shape), reversed(result), strict=False)]
    fits = len(shape) <= len(result) and all(n in (1, whole) for n, whole in pairs)
    return fits and math.prod(shape) < math.prod(result)


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


_RESHAPES = 2  # that one exchange may get stuck at, one after the other
_TRIALS = 40  # of transposing axes at reshapes, for one exchange
_FAILURES = 8  # exchanges of similar layers that fail before no more are tried
_NUMBERS = re.compile(r"\d+")


@dataclass(frozen=True)
class Stop:
    """A node that does not treat units equally, and why it does not."""

    node: int
    cause: Cause


class Stops:
    """Finds the stops of exchanges that a solver cannot complete."""

    def __init__(self, solver: Solver) -> None:
        self.constants = GuiltyConstants(solver.trace)
        self._solver, self._trace = solver, solver.trace
        self._ties: dict[object, SourceLine | None] = {}  # the reshape's line, by exchange
        self._failures: Counter[object] = Counter()  # by the names of leaves, without numbers

    def find(self, leaves: Actions, stuck: Stuck) -> Stop | None:
        """Return the stop of an exchange of leaves; None if it may be the data.

        Data differ between units where these are inputs or positions: the step is not to blame.
        """
        if stuck.node is None:
            return None
        node = self.constants.node(leaves, stuck.node)
        if node is not None:
            return Stop(node, "constant")
        stop = self.reshape(leaves)
        if stop is None and self._solver.operations.movement(stuck.node):
            return None if self.integers(stuck.node) else Stop(stuck.node, "place")
        return stop

    def reshape(self, leaves: Actions) -> Stop | None:
        """Return the reshape without which an exchange of these leaves alone could be completed.

        Layers whose names differ only in numbers are expected to do the same: an exchange is tried
        in one of them.
        """
        if not self.reshapes:
            return None
        names = tuple(_NUMBERS.sub("", self._trace.names[leaf]) for leaf in leaves)
        key = (*zip(names, leaves.values(), strict=True),)
        if key not in self._ties:
            trials = iter(range(_TRIALS if self._failures[names] < _FAILURES else 0))
            nodes = reshapes_to_transpose(self._solver, leaves, _RESHAPES, trials)
            self._ties[key] = self._trace.nodes[nodes[0]].place if nodes else None
            self._failures[names] += not nodes
        return self._reshape_at(self._ties[key], leaves)

    def integers(self, k: int) -> set[int]:
        """Return the integers from no leaf that a node takes, as an embedding takes tokens."""
        others = {*self._trace.nodes[k].inputs} - self._trace.from_leaves
        return {i for i in others if self._trace.arrays[i].dtype.kind not in "fc"}

    @cached_property
    def reshapes(self) -> frozenset[int]:
        """The nodes that put entries into other axes, of which no side refines the other."""
        return frozenset(k for k in range(len(self._trace.nodes)) if is_reshape(self._solver, k))

    def _reshape_at(self, place: SourceLine | None, leaves: Actions) -> Stop | None:
        """Return the first reshape of a line that leaves go into."""
        moved = self._trace.downstream({*leaves})
        nodes = ((k, self._trace.nodes[k]) for k in sorted(self.reshapes) if place is not None)
        own = (k for k, n in nodes if n.place == place and not moved.isdisjoint(n.inputs))
        return next((Stop(k, "reshape") for k in own), None)
