"""Proofs that units are interchangeable, and that the loss depends on them."""

from collections.abc import Collection

import numpy as np

from symmetry.finding.exchange.tolerance import CERTAIN, elsewhere, same
from symmetry.finding.grouping.replay import Replay
from symmetry.training.trace import Trace
from symmetry.units.units import Units


class Proof:
    """Proves groups in one trace; ``tolerance`` says by how much the loss may change, relative.

    Attributes
    ----------
    start
        The leaves' arrays, by name.
    excused
        Buffers that the forward updates inconsistently across units, and that do not affect the
        loss.
    """

    def __init__(self, trace: Trace, tolerance: float) -> None:
        self.start = {name: trace.arrays[i] for name, i in trace.leaves.items()}
        self.excused: set[str] = set()
        self._trace, self._replay = trace, Replay(trace, tolerance)
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
