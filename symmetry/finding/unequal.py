"""The operation that makes units unequal: found by what would make them equal.

Nothing is guessed from what an operation is called. A constant has a number of its own for each
unit if the exchange of units is completed once its entries are exchanged, too. A reshape ties
entries of different units if the exchange is completed once two axes are transposed there.
"""

import itertools
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from symmetry.finding.actions import Array
from symmetry.finding.coverage import Cause
from symmetry.finding.solver import Actions, Solver, Stuck
from symmetry.observe.place import Place
from symmetry.training.trace import Node, Trace

_CONSTANT = "#"  # before the number of a constant, which has no name
_RESHAPES = 2  # that an exchange may get stuck at one after the other
_TRIALS = 40  # of transposing axes at reshapes, for one exchange
_VAIN = 8  # exchanges of a layer that are tried in vain before it is tried no more
_NUMBERS = re.compile(r"\d+")

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Stop:
    """The node that does not treat units alike, and what about it does not."""

    node: int
    cause: Cause


class Stops:
    """Finds what stops the exchanges that a solver cannot complete."""

    def __init__(self, solver: Solver) -> None:
        self._solver, self._trace = solver, solver.trace
        self._ties: dict[object, Place | None] = {}  # where what was tried is tied
        self._vain: Counter[object] = Counter()  # by the layers' names

    def find(self, leaves: Actions, stuck: Stuck) -> Stop | None:
        """Return what stops an exchange of leaves; None where it is not known to be the step.

        It is none where units have to do with the data: as inputs, or as positions.
        """
        if stuck.node is None:
            return None
        node = self._at_a_constant(leaves, stuck.node)
        if node is not None:
            return Stop(node, "constant")
        if self._solver.movement(stuck.node) and not self.numbers(stuck.node):
            return self.tie(leaves) or Stop(stuck.node, "place")
        return self.tie(leaves)

    def tie(self, leaves: Actions) -> Stop | None:
        """Return the reshape without which an exchange of these leaves alone could be completed.

        What is tried of a layer is not tried again of others that have the same name but for
        numbers: they do the same.
        """
        if not self.reshapes:
            return None
        names = tuple(_NUMBERS.sub("", self._trace.names[leaf]) for leaf in leaves)
        key = (*zip(names, leaves.values(), strict=True),)
        if key not in self._ties:
            trials = iter(range(_TRIALS if self._vain[names] < _VAIN else 0))
            transposed = _transposed_for(self._solver, leaves, _RESHAPES, trials)
            self._ties[key] = self._trace.nodes[transposed[0]].place if transposed else None
            self._vain[names] += not transposed
        place, moved = self._ties[key], self._trace.downstream({*leaves})
        nodes = ((k, self._trace.nodes[k]) for k in sorted(self.reshapes) if place is not None)
        own = (k for k, n in nodes if n.place == place and not moved.isdisjoint(n.inputs))
        return next((Stop(k, "reshape") for k in own), None)

    def numbers(self, k: int) -> set[int]:
        """Return the whole numbers that a node reads, as an embedding does."""
        given = {*self._trace.nodes[k].inputs} - self._solver.reached
        return {i for i in given if self._trace.arrays[i].dtype.kind not in "fc"}

    @cached_property
    def given(self) -> set[int]:
        """The values that come from outside of the step, and all that is made of them."""
        trace = self._trace
        outside = {i for i in range(len(trace.arrays)) if i not in trace.maker}
        return trace.downstream(outside - {*trace.names})

    @cached_property
    def reshapes(self) -> frozenset[int]:
        """The nodes that only give an array other axes, of which neither side refines the other."""
        return frozenset(k for k in range(len(self._trace.nodes)) if _is_reshape(self._solver, k))

    # Constants

    def _at_a_constant(self, leaves: Actions, stuck: int) -> int | None:
        """Return the node whose constant has to be exchanged as well, if that is all."""
        if self._with_constants is None:
            return None
        try:
            moved, _ = self._with_constants.solve(leaves)
        except Stuck:
            return None
        constants = {int(name[1:]) for name in moved if name.startswith(_CONSTANT)}
        nodes = [k for k in self._meeting if not constants.isdisjoint(self._trace.nodes[k].inputs)]
        return stuck if stuck in nodes else next(iter(nodes), None)

    @cached_property
    def _with_constants(self) -> Solver | None:
        """A solver that takes constants for leaves; None if there are none."""
        found = {
            f"{_CONSTANT}{i}": i
            for k in self._meeting
            for i in self._trace.nodes[k].inputs
            if self._is_constant(i, k)
        }
        if not found:
            return None
        leaves, finals = self._trace.leaves | found, self._trace.finals | found
        return Solver(replace(self._trace, leaves=leaves, finals=finals))

    @cached_property
    def _meeting(self) -> list[int]:
        """The nodes that take both what is made of leaves and what is not."""
        reached = self._solver.reached
        inputs = [{*node.inputs} for node in self._trace.nodes]
        return [k for k, values in enumerate(inputs) if values & reached and values - reached]

    def _is_constant(self, value: int, k: int) -> bool:
        """Return whether a value that a node takes is a constant: the step makes it of nothing.

        All samples get the same: the result has more axes. Of what comes from outside, which may
        be the batch, it is only what has one axis.
        """
        array = self._trace.arrays[value]
        if value in self._solver.reached or array.dtype.kind != "f" or array.size < 2:
            return False
        result = self._trace.arrays[self._trace.nodes[k].outputs[0]]
        one = max(array.shape) == array.size
        return (one or value not in self.given) and _spreads(array.shape, result.shape)


def _spreads(shape: Shape, result: Shape) -> bool:
    """Return whether an array of a shape is used several times in a result, as it is broadcast."""
    pairs = [*zip(reversed(shape), reversed(result), strict=False)]
    fits = len(shape) <= len(result) and all(n in (1, whole) for n, whole in pairs)
    return fits and math.prod(shape) < math.prod(result)


def _is_reshape(solver: Solver, k: int) -> bool:
    """Return whether a node puts the entries of one array, in their order, into other axes.

    Axes that are only split, or only joined, are none: there units stay together.
    """
    node, arrays = solver.trace.nodes[k], solver.trace.arrays
    if len(node.outputs) != 1 or node.inputs == () or {*node.inputs}.isdisjoint(solver.reached):
        return False
    old, new = arrays[node.inputs[0]].shape, arrays[node.outputs[0]].shape
    if len(node.inputs) != 1 or not _scrambles(old, new):
        return False
    movement = solver.movement(k)
    if movement is None:
        return False
    (own,) = movement.inputs.values()
    return np.array_equal(own.ravel(), movement.outputs[0].ravel())


def _scrambles(old: Shape, new: Shape) -> bool:
    """Return whether some axes become other axes, and not one of them several, or several one."""
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


def _transposed_for(
    solver: Solver, leaves: Actions, most: int, trials: Iterator[int]
) -> tuple[int, ...] | None:
    """Return up to so many reshapes at which two axes are to be transposed to complete an exchange.

    None where that does not complete it, or there are no trials left.
    """
    try:
        solver.solve(leaves, alone=True)
    except Stuck as stuck:
        if most == 0 or stuck.node is None:
            return None
        moved = solver.trace.downstream({*leaves})
        for k in range(stuck.node + 1):
            if not moved.isdisjoint(solver.trace.nodes[k].inputs) and _is_reshape(solver, k):
                for trace in _transposed(solver, k, trials):
                    more = _transposed_for(Solver(trace), leaves, most - 1, trials)
                    if more is not None:
                        return (k, *more)
        return None
    return ()


def _transposed(solver: Solver, k: int, trials: Iterator[int]) -> Iterator[Trace]:
    """Yield traces in which two axes are transposed before a reshape, or after it.

    Reshapes that the same line does alike are transposed alike: of queries, keys and values. The
    inner axes come first: samples, which usually have the first one, are hardly in its place.
    """
    trace = solver.trace
    old, new = _shapes(trace, k)
    alike = [
        n
        for n, node in enumerate(trace.nodes)
        if (node.place, node.operation) == (trace.nodes[k].place, trace.nodes[k].operation)
        and _shapes(trace, n) == (old, new)
        and _is_reshape(solver, n)
    ]
    choices = [
        (i == 0, j - i, partial(change, new, i, j))
        for shape, change in ((old, _transposed_before), (new, _transposed_after))
        for i, j in itertools.combinations(range(len(shape)), 2)
        if min(shape[i], shape[j]) > 1
    ]
    for *_, change in sorted(choices, key=lambda choice: choice[:2]):
        if next(trials, None) is not None:
            changed = _changed(trace, alike, change)
            if changed is not None:
                yield changed


def _shapes(trace: Trace, k: int) -> tuple[Shape, Shape]:
    """Return the shapes of what a node takes first, and of what it yields first."""
    node = trace.nodes[k]
    taken = trace.arrays[node.inputs[0]].shape if node.inputs else ()
    return taken, trace.arrays[node.outputs[0]].shape if node.outputs else ()


def _transposed_before(new: Shape, i: int, j: int, array: Array) -> Array:
    return np.ascontiguousarray(array.swapaxes(i, j).reshape(new))


def _transposed_after(new: Shape, i: int, j: int, array: Array) -> Array:
    between = [*new]
    between[i], between[j] = between[j], between[i]
    return np.ascontiguousarray(array.reshape(between).swapaxes(i, j))


def _changed(trace: Trace, some: Sequence[int], change: Callable[[Array], Array]) -> Trace | None:
    """Return the trace in which some nodes change their arrays otherwise, and all that follows.

    None if a later operation does not take what comes of it.
    """
    new = replace(trace, nodes=[*trace.nodes], arrays=[*trace.arrays])
    others: set[int] = set()  # the values that are others in the new trace

    def again(node: Node, arrays: Mapping[int, Array]) -> list[Array]:
        own = {x: new.arrays[i] for x, i in enumerate(node.inputs) if i in others}
        return node.perform({**own, **arrays})

    def instead(node: Node, arrays: Mapping[int, Array]) -> list[Array]:
        return [change(arrays.get(0, new.arrays[node.inputs[0]]))]

    for k, node in enumerate(trace.nodes):
        if k not in some and others.isdisjoint(node.inputs):
            continue
        new.nodes[k] = replace(node, perform=partial(instead if k in some else again, node))
        results = new.perform(k, {})
        if results is None:
            return None
        for output, result in zip(node.outputs, results, strict=True):
            new.arrays[output] = result
            others.add(output)
    return new
