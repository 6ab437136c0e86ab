"""The events of one run: array operations with what they made and what they wrote."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from symmetry.observe.call import Call, Handle
from symmetry.units.state import Array

Mend = Callable[[Array], None]  # changes an array in place


@dataclass
class Event:
    """One array operation of a run.

    Later operations may write into its ``arrays``: what is kept of them is copied.

    Attributes
    ----------
    number
        Counted from 0.
    call
        The operation.
    arrays
        What it wrote into and made; then what a partial write wrote over.
    fresh
        How many of ``arrays`` came out of it.
    signature
        What it has in common in two runs; last, the shapes of ``arrays``.
    makers
        Of each operand the event that last wrote its memory; None if no event did.
    memories
        The numbers of the blocks of memory that hold ``arrays``.
    operands
        Copies from before it, if it is captured.
    """

    number: int
    call: Call
    arrays: list[Array]
    fresh: int
    signature: tuple[Any, ...]
    makers: list[int | None]
    memories: list[int]
    operands: list[Array]

    def let_go(self, arrays: Sequence[Array] = ()) -> Event:
        """Return the event without the memory that it holds, but with copies of its arrays."""
        return replace(self, arrays=[*arrays], call=replace(self.call, operands=()))


class Tape:
    """Observes one run; hands each event to ``sink`` right after it, and keeps none.

    ``capture`` numbers the events whose operands are copied. ``mends`` are changes of arrays that
    an event brings out: by its number, each with the position of the array.
    """

    def __init__(
        self,
        sink: Callable[[Event], None],
        capture: Container[int] = (),
        mends: Mapping[int, Sequence[tuple[int, Mend]]] | None = None,
    ) -> None:
        self._sink, self._capture, self._mends = sink, capture, mends or {}
        # Of each block of memory: whether it is alive, and the event that last wrote into it.
        self._blocks: dict[int, tuple[Callable[[], bool], int]] = {}
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
            self._blocks[handle.memory] = handle.alive, self.count
        mended = self._mend(out, [None] * len(written) + [n for n, _ in made])
        arrays = [*(handle.values for handle in out), *self._over]
        event = Event(
            self.count,
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
        self.count += 1
        return mended

    def _writer(self, handle: Handle) -> int | None:
        alive, writer = self._blocks.get(handle.memory, (bool, 0))
        return writer if alive() else None

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
