"""The events of one run: array operations with what they made and what they wrote."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from symmetry.observe.call import Call, Handle
from symmetry.observe.place import Place
from symmetry.units.state import Array

Mend = Callable[[Array], None]  # changes an array in place


@dataclass
class Event:
    """One array operation of a run.

    Attributes
    ----------
    number
        Counted from 0.
    call
        What was done.
    arrays
        What it wrote into and made, and then what it wrote over where that was only a piece of a
        block of memory. Later operations may write into them: who keeps one copies it.
    fresh
        How many of ``arrays`` hold what came out of it.
    makers
        Which event last wrote the memory of each operand; None if none did.
    memories
        The numbers of the blocks of memory that hold ``arrays``.
    operands
        Copies of the operands before it, in their order in memory; empty unless it is captured.
    """

    number: int
    call: Call
    arrays: list[Array]
    fresh: int
    makers: list[int | None]
    memories: list[int]
    operands: list[Array] = field(default_factory=list)

    @property
    def partial(self) -> bool:
        """Whether it wrote into a piece of a block only."""
        return self.fresh < len(self.arrays)

    @property
    def name(self) -> str:
        """The name of the operation."""
        return self.call.name

    @property
    def place(self) -> Place:
        """Where the user's code asked for it."""
        return self.call.place

    @property
    def signature(self) -> tuple[Any, ...]:
        """What the same operation has in common in two runs."""
        place = self.place
        return self.name, place.file, place.line, tuple(a.shape for a in self.arrays)


@dataclass
class _Block:
    """A block of memory, and the event that last wrote into it."""

    alive: Callable[[], bool]
    writer: int


class Tape:
    """Observes one run; hands each event to ``sink`` and keeps none.

    Parameters
    ----------
    sink
        Is called with each event, right after the operation.
    capture
        The numbers of the events whose operands are copied.
    mends
        What is done to arrays that an event brings out: by the number of the event, positions in
        ``Event.arrays`` and changes.
    """

    def __init__(
        self,
        sink: Callable[[Event], None],
        capture: Container[int] = (),
        mends: Mapping[int, Sequence[tuple[int, Mend]]] | None = None,
    ) -> None:
        self._sink, self._capture, self._mends = sink, capture, mends or {}
        self._blocks: dict[int, _Block] = {}
        self.count = 0

    def before(self, call: Call) -> None:
        """Copy what the operation may destroy."""
        captured = self.count in self._capture
        self._operands = [h.values.copy(order="K") for h in call.operands] if captured else []
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
            self._blocks[handle.memory] = _Block(handle.alive, self.count)
        mended = self._mend(out, [None] * len(written) + [n for n, _ in made])
        event = Event(
            self.count,
            call,
            [*(handle.values for handle in out), *self._over],
            len(out),
            makers,
            [handle.memory for handle in out],
            self._operands,
        )
        with np.errstate(all="ignore"):  # diverged runs are legal
            self._sink(event)
        self.count += 1
        return mended

    def _writer(self, handle: Handle) -> int | None:
        block = self._blocks.get(handle.memory)
        return block.writer if block is not None and block.alive() else None

    def _mend(self, out: Sequence[Handle], positions: Sequence[int | None]) -> dict[int, Array]:
        replaced: dict[int, Array] = {}
        for number, change in self._mends.get(self.count, ()):
            values, position = out[number].values, positions[number]
            if not values.flags.writeable:
                values = values.copy()
                if position is not None:
                    replaced[position] = values
            change(values)
        return replaced
