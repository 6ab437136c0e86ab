"""Constants that hold a different number for each unit."""

import math
from dataclasses import replace
from functools import cached_property

from symmetry.finding.exchange.actions import Actions
from symmetry.finding.exchange.propagation import Stuck
from symmetry.finding.solver import Solver
from symmetry.training.trace import Trace

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
