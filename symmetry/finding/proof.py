"""Proofs that units are interchangeable, and that the loss depends on them.

A proof repeats the trace from other leaves, as far as values change.
"""

import heapq
from collections.abc import Collection, Mapping, Sequence, Set
from functools import cache

import numpy as np

from symmetry.finding.exchange.movement import is_floating
from symmetry.finding.exchange.tolerance import (
    CERTAIN,
    TOLERANCE,
    Array,
    elsewhere,
    largest_entry,
    same,
)
from symmetry.training.trace import Trace
from symmetry.units.units import Units


class Proof:
    """Proves groups in one trace; ``tolerance`` says by how much the loss may change, relative."""

    def __init__(self, trace: Trace, tolerance: float) -> None:
        # The leaves' arrays, by name.
        self.start = {name: trace.arrays[i] for name, i in trace.leaves.items()}
        # Buffers that the forward updates inconsistently across units, and that do not affect the
        # loss.
        self.excused: set[str] = set()
        self._trace, self._replay = trace, TraceReplay(trace, tolerance)
        finals = {name: i for name, i in trace.finals.items() if i not in trace.names}
        self._written = {name: trace.arrays[i] for name, i in finals.items()}

    def holds(self, units: Units, excused: Collection[str] = ()) -> bool:
        """Return whether, when all units are rotated, the loss stays and buffers move along.

        ``excused`` buffers need not move along, beside those that are excused anyway.
        """
        order = np.roll(np.arange(units.count), 1)
        leaves = self._trace.leaves
        rotated = units.rearranged(self.start, order)
        new = self._replay.changes({leaves[name]: rotated[name] for name in units.arrays})
        return new is not None and all(
            same(wanted, new.get(self._trace.finals[name], self._written[name]))
            for name, wanted in units.rearranged(self._written, order).items()
            if name not in self.excused and name not in excused
        )

    def holds_but_for_buffers(self, units: Units) -> bool:
        """Return whether units hold once buffers of theirs are excused, which then stay so.

        A forward that forgets to update the statistics of one unit has a bug. Its unit still
        belongs to the group, and a check of the group reports the bug.
        """
        own = {
            name
            for name in self._written
            if name in units.arrays and self._trace.leaves[name] not in self._trace.into_loss
        }
        holds = bool(own) and self.holds(units, own)
        if holds:
            self.excused |= own
        return holds

    def matters(self, units: Units) -> bool:
        """Return whether the loss depends on the units: their slices may never be used.

        A loss that hardly depends on them cannot prove that they are interchangeable.
        """
        changed = dict(self.start)
        for part in units.parts:
            array = changed[part.array] = np.array(changed[part.array], order="C")
            view, places = part.view(array), part.places(units.count).ravel()
            view[places] = elsewhere(view[places])
        new = {self._trace.leaves[name]: changed[name] for name in units.arrays}
        return self._replay.loss_changes(new, CERTAIN)


class TraceReplay:
    """Repeats one trace from other leaves: only the nodes that take a changed value.

    ``tolerance`` says by how much, relative to the largest entry, a value may change and count as
    unchanged.
    """

    def __init__(self, trace: Trace, tolerance: float) -> None:
        self._trace, self._tolerance = trace, tolerance
        self._largest = cache(self._find_largest)

    def loss_changes(self, leaves: Mapping[int, Array], allowance: float) -> bool:
        """Return whether the loss changes by more than ``allowance`` tolerances."""
        return self._repeat(leaves, self._trace.into_loss, allowance) is None

    def changes(self, leaves: Mapping[int, Array]) -> dict[int, Array] | None:
        """Return the values that change, by number; None if the loss is one of them.

        None as well where a choice hides a change: from another start it would not.
        """
        return self._repeat(leaves, self._trace.into_results, 1.0, choices=True)

    def _repeat(
        self,
        leaves: Mapping[int, Array],
        looked_at: Set[int],
        allowance: float,
        *,
        choices: bool = False,
    ) -> dict[int, Array] | None:
        """Return the changed ones of the values looked at; None if the loss changes.

        None as well if an operation cannot be performed on changed values, or, with ``choices``,
        where one of them hides a change.
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
            if results is None or (choices and self._hides_change(k, new, results)):
                return None
            for value, result in zip(node.outputs, results, strict=True):
                allowed = self._tolerance * (allowance if value == trace.loss else 1.0)
                if value not in looked_at:
                    continue
                if same(trace.arrays[value], result, allowed, self._largest(value)):
                    continue
                if value == trace.loss:
                    return None
                new[value] = result
                add_users(value)
        return new

    def _hides_change(self, k: int, new: Mapping[int, Array], results: Sequence[Array]) -> bool:
        """Return whether a node of changed values chooses as before: its integers stay.

        Top-k, for instance, takes the same keys where an exchange changes their scores by little.
        """
        trace, limit = self._trace, max(TOLERANCE, self._tolerance)
        node = trace.nodes[k]
        outputs = [
            (trace.arrays[value], result)
            for value, result in zip(node.outputs, results, strict=True)
            if value in trace.into_results
        ]
        chooses = any(old.dtype.kind == "i" for old, _ in outputs)
        return (
            chooses
            and all(same(old, result, limit) for old, result in outputs)
            and any(
                is_floating(trace.arrays[i]) and not same(trace.arrays[i], new[i], limit)
                for i in node.inputs
                if i in new
            )
        )

    def _find_largest(self, value: int) -> float | None:
        """Return the largest entry of a value; None unless it holds real numbers."""
        array = self._trace.arrays[value]
        return largest_entry(array) if array.dtype.kind == "f" else None
