"""A trace repeated from other leaves, as far as values change."""

import heapq
from collections.abc import Mapping, Set

from symmetry.finding.exchange.tolerance import Array, same
from symmetry.training.trace import Trace


class Replay:
    """Repeats one trace from other leaves: only the nodes that take a changed value.

    ``tolerance`` says by how much, relative to the largest entry, a value may change and count as
    unchanged.
    """

    def __init__(self, trace: Trace, tolerance: float) -> None:
        self._trace, self._tolerance = trace, tolerance

    def loss_changes(self, leaves: Mapping[int, Array], allowance: float) -> bool:
        """Return whether the loss changes by more than ``allowance`` tolerances."""
        return self._repeat(leaves, self._trace.into_loss, allowance) is None

    def changes(self, leaves: Mapping[int, Array]) -> dict[int, Array] | None:
        """Return the values that change, by number; None if the loss is one of them."""
        return self._repeat(leaves, self._trace.into_results, 1.0)

    def _repeat(
        self, leaves: Mapping[int, Array], looked_at: Set[int], allowance: float
    ) -> dict[int, Array] | None:
        """Return the changed ones of the values looked at; None if the loss changes.

        None as well if an operation cannot be performed on changed values.
        """
        trace, new = self._trace, dict(leaves)
        waiting: list[int] = []  # a heap of nodes
        waits: set[int] = set()

        def add_users(value: int) -> None:
            for k in trace.users[value]:
                if k not in waits and not looked_at.isdisjoint(trace.nodes[k].outputs):
                    waits.add(k)
                    heapq.heappush(waiting, k)

        for value in leaves:
            add_users(value)
        while waiting:
            k = heapq.heappop(waiting)
            node = trace.nodes[k]
            results = trace.perform(k, {x: new[i] for x, i in enumerate(node.inputs) if i in new})
            if results is None:
                return None
            for value, result in zip(node.outputs, results, strict=True):
                allowed = self._tolerance * (allowance if value == trace.loss else 1.0)
                if value not in looked_at or same(trace.arrays[value], result, allowed):
                    continue
                if value == trace.loss:
                    return None
                new[value] = result
                add_users(value)
        return new
