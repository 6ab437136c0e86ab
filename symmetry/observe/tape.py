"""The events of one run: array operations with what they made and what they wrote."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symmetry.observe.call import Call, Handle
from symmetry.units.state import Array

Mend = Callable[[Array], None]  # changes an array in place


@dataclass(slots=True)
class Event:
    """One array operation of a run.

    Its ``arrays`` are there while the tape hands it on, and are copied to be kept: later operations
    may write into them.
    """

    number: int  # counted from 0, among the events
    turn: int  # counted from 1, among all operations: those that only show memory are no events
    call: Call
    # The arrays that it wrote into and made; then copies that a partial write wrote over.
    arrays: list[Array]
    fresh: int  # how many of ``arrays`` came out of it
    # Properties by which it is matched between two runs; last, the shapes of ``arrays``.
    signature: tuple[Any, ...]
    # For each operand the event that last wrote its memory; None if no event did.
    makers: list[int | None]
    memories: list[int]  # the numbers of the blocks of memory that hold ``arrays``
    operands: list[Array]  # copies from before it, if they are captured

    def let_go(self) -> None:
        """Let go of the memory that belongs to the code under test."""
        self.arrays, self.call.operands = [], ()


class Tape:
    """Records one run: hands each event to ``sink`` right after it, and then frees its arrays.

    ``mends`` are changes of arrays that an event brings out: by its turn, each with the position of
    the array. ``only`` are the turns of the operations that are recorded, with copies of their
    operands; what they have to do with others is not known then. By default all are recorded.
    """

    def __init__(
        self,
        sink: Callable[[Event], None],
        mends: Mapping[int, Sequence[tuple[int, Mend]]] | None = None,
        only: Container[int] | None = None,
    ) -> None:
        self._sink, self._mends, self._only = sink, mends or {}, only
        # By block of memory: whether it is alive, and the event that last wrote into it.
        self._blocks: dict[int, tuple[Callable[[], bool], int]] = {}
        self._turn = self.count = 0

    def skips(self) -> bool:
        """Count an operation that comes; return whether it is not recorded."""
        self._turn += 1
        return self._only is not None and self._turn not in self._only

    def before(self, call: Call) -> None:
        """Copy what the operation may destroy."""
        captured = call.operands if self._only is not None else ()
        self._operands = [handle.values.copy(order="K") for handle in captured]
        written = [call.operands[position] for position in call.written]
        self._over = [h.values.copy() for h in written if h.values.size < h.size]

    def after(
        self, call: Call, written: Sequence[Handle], results: Sequence[Handle]
    ) -> dict[int, Array]:
        """Make an event of it, unless it only shows the memory of its operands."""
        taken = {handle.memory for handle in call.operands}
        made = [(n, h) for n, h in enumerate(results) if h.memory not in taken]
        if call.blank or not (written or made):
            return {}
        makers = [self._writer(handle) for handle in call.operands]
        out = [*written, *(h for _, h in made)]
        for handle in out:
            self._blocks[handle.memory] = handle.alive, self.count
        mended = self._mend(out, [None] * len(written) + [n for n, _ in made])
        arrays = [*(handle.values for handle in out), *self._over]
        event = Event(
            self.count,
            self._turn,
            call,
            arrays,
            len(out),
            (call.name, call.place.file, call.place.line, tuple(a.shape for a in arrays)),
            makers,
            [handle.memory for handle in out],
            self._operands,
        )
        with np.errstate(all="ignore"):  # diverged runs are legal
            self._sink(event)
        event.let_go()
        self.count += 1
        return mended

    def _writer(self, handle: Handle) -> int | None:
        alive, writer = self._blocks.get(handle.memory, (bool, 0))
        return writer if alive() else None

    def _mend(self, out: Sequence[Handle], positions: Sequence[int | None]) -> dict[int, Array]:
        replaced: dict[int, Array] = {}
        for number, change in self._mends.get(self._turn, ()):
            values, position = out[number].values, positions[number]
            if not values.flags.writeable:
                values = values.copy()
                if position is not None:
                    replaced[position] = values
            change(values)
        return replaced
