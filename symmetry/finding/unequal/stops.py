"""The operation that stops an exchange, identified by removing possible causes.

A constant holds a different number for each unit if the exchange of units is completed once the
constant's entries may be exchanged, too. A reshape ties entries of different units if the exchange
is completed once two axes are transposed there. No operation is known by its name.
"""

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from symmetry.finding.coverage import Cause
from symmetry.finding.exchange.actions import Actions
from symmetry.finding.exchange.propagation import Stuck
from symmetry.finding.solver import Solver
from symmetry.finding.unequal.constants import GuiltyConstants
from symmetry.finding.unequal.reshapes import is_reshape, reshapes_to_transpose
from symmetry.observe.source_line import SourceLine

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
