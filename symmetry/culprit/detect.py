"""Finds the operations whose operands are the same for two hidden units and whose result is not.

The detector follows every array of a step by the memory it lives in. After each operation it
compares the hidden units of the result. Where they differ although those of the operands did not,
the operation is a *suspect*, and its result is *repaired*: every unit gets what the first of its
likes has. So one run finds all suspects, each of them from symmetric operands; and runs that spare
some of them from the repair show which ones have to be repaired. Numbering the units, sorting them
or handling them one by one is no crime as long as the new weights are symmetric.

Three things are not what they seem, and are treated apart:

*Constants.* An array made without the data and the weights (``arange``, ``zeros`` with one entry
set) may differ between the units. The suspect is the operation that brings it together with
symmetric data, unless its numbers are random: then they are the suspect themselves.

*Writes into a part.* A loop that fills an array unit by unit, or block by block, makes it
asymmetric for a while. The array is judged when it is next used as a whole; then the write that the
odd units owe their difference to is the suspect.

*Empty memory* means nothing before it is filled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmetry.culprit import facts
from symmetry.culprit.axes import Axes, Side
from symmetry.culprit.blame import blamed, pieces, touched, unlike
from symmetry.culprit.call import Call
from symmetry.culprit.geometry import Geometry, Handle
from symmetry.culprit.layout import Firsts, Layout, agreement, alike, groups, make_alike
from symmetry.culprit.memory import Memory, Write
from symmetry.culprit.snapshot import Snapshot
from symmetry.culprit.suspect import GIVEN, Foreign, Kind, Step, Suspect, Target

Array = NDArray[Any]
Foreigners = Callable[[], tuple[tuple[Foreign, ...], bool]]


class Detector:
    """An observer that finds suspects.

    Parameters
    ----------
    axes
        Answers where hidden units lie.
    firsts
        Of every hidden unit, the first one that starts like it.
    spared
        Numbers of the operations that are not repaired.
    captured
        Numbers of the operations of which a snapshot is kept, in ``snapshots``.
    """

    def __init__(
        self,
        axes: Axes,
        firsts: Firsts,
        *,
        spared: frozenset[int] = frozenset(),
        captured: frozenset[int] = frozenset(),
    ) -> None:
        self.suspects: list[Suspect] = []
        self.steps: list[Step] = []
        self.snapshots: dict[int, Snapshot] = {}
        self._axes = axes
        self._firsts = firsts
        self._spared = spared
        self._captured = captured
        self._memories: dict[int, Memory] = {}
        self._replaced: dict[int, Array] = {}
        self._iteration = 0

    def begin(self, given: Sequence[Handle], layouts: Sequence[tuple[Layout, ...]]) -> None:
        """Learn of the arrays that a step is given."""
        self._iteration += 1
        for handle, known in zip(given, layouts, strict=True):
            geometry = Geometry.of(handle.values)
            self._memories[handle.memory] = Memory(geometry, handle.alive, known, maker=GIVEN)

    def end(self, returned: Sequence[Handle]) -> None:  # noqa: ARG002 - all memory is looked at
        """Judge what a step has written and not used since."""
        for memory in list(self._memories.values()):
            if memory.writes:
                self._settle(memory)

    def before(self, call: Call) -> None:
        """Judge arrays written in parts that are used now, and take the snapshot."""
        memories = self._memories_of(call)
        for handle, memory in zip(call.operands, memories, strict=True):
            if memory.writes and not call.views and memory.touched(handle.values) is None:
                self._settle(memory)
        if self._index in self._captured:
            owners = {p: memories[p].geometry for p in call.written}
            layouts = [self._layout(call, *numbered) for numbered in enumerate(memories)]
            self.snapshots[self._index] = Snapshot.take(call, owners, layouts)

    def after(self, call: Call, results: Sequence[Handle]) -> dict[int, Array]:
        """Judge what an operation made."""
        memories = self._memories_of(call)
        if self._index in self._captured:
            self.snapshots[self._index].finish(call, results)
        self._replaced = {}
        data = self._depends_on_data(call, memories)
        foreign = cache(lambda: self._foreign(call, memories))
        broken = self._is_broken(call, memories)
        makers = tuple(memory.maker for memory in memories)
        self.steps.append(Step(call.name, call.place, self._iteration, makers, call.written))
        for position in call.written:
            self._written(call, position, memories[position], data, foreign, broken=broken)
        for position, handle in enumerate(results):
            if all(handle.memory != operand.memory for operand in call.operands):
                self._made(call, position, handle, data, foreign, broken=broken)
        return self._replaced

    def _layout(self, call: Call, position: int, memory: Memory) -> Layout | None:
        """Return where the units of an operand most likely are, None if it has none."""
        values = call.operands[position].values
        found = self._axes.find(self._index, call.name, "operands", position, values.shape)
        fitting = self._consistent(found, [memory])
        fitting = self._symmetric(values, fitting) or fitting
        return fitting[0] if fitting else None

    @property
    def _index(self) -> int:
        return len(self.steps)

    def _memories_of(self, call: Call) -> list[Memory]:
        return [self._memory(call, *numbered) for numbered in enumerate(call.operands)]

    def _memory(self, call: Call, position: int, handle: Handle) -> Memory:
        """Look a block up; one that nobody was seen filling is taken for what it looks like."""
        known = self._memories.get(handle.memory)
        if (
            known is not None
            and known.alive()
            and not (known.blank and self._reads(call, position))
        ):
            return known
        found = self._axes.find(self._index, call.name, "operands", position, handle.values.shape)
        memory = Memory(Geometry.of(handle.values), handle.alive, found, met=self._index)
        memory.asymmetric = bool(found) and not self._symmetric(handle.values, found)
        memory.data = handle.values.size > 1 and not memory.asymmetric
        self._memories[handle.memory] = memory
        return memory

    @staticmethod
    def _reads(call: Call, position: int) -> bool:
        """Return whether a call looks at the values: memory that is blank then has been filled."""
        return not (position in call.written or call.shaped or call.views)

    def _depends_on_data(self, call: Call, memories: Sequence[Memory]) -> bool:
        if call.shaped:
            return False
        return any(
            memory.data and not memory.blank
            for position, memory in enumerate(memories)
            if not (call.overwritten and position in call.written)
        )

    @staticmethod
    def _is_broken(call: Call, memories: Sequence[Memory]) -> bool:
        """Return whether an operand owes its asymmetry to a suspect that was spared."""
        return any(
            memory.broken
            for position, memory in enumerate(memories)
            if not (call.overwritten and position in call.written) and not call.shaped
        )

    def _foreign(self, call: Call, memories: Sequence[Memory]) -> tuple[tuple[Foreign, ...], bool]:
        """Return the operands whose units differ already, and whether data comes beside them."""
        foreign, beside = [], False
        changed = [memories[position] for position in call.written]
        for position, (handle, memory) in enumerate(zip(call.operands, memories, strict=True)):
            if call.overwritten and position in call.written:
                continue
            if memory in changed:  # what it holds now is the result
                differs = memory.asymmetric
            else:
                found = self._consistent(
                    self._axes.find(
                        self._index - 1, call.name, "operands", position, handle.values.shape
                    ),
                    [memory],
                )
                differs = bool(found) and not self._symmetric(handle.values, found)
            if differs:
                foreign.append(Foreign(position, *memory.origin))
            elif memory.data and not memory.blank and handle.values.size > 1:
                beside = True
        return tuple(foreign), beside

    def _written(
        self,
        call: Call,
        position: int,
        memory: Memory,
        data: bool,
        foreign: Foreigners,
        *,
        broken: bool,
    ) -> None:
        """Take note of a write into a part, or judge the whole."""
        handle = call.operands[position]
        if self._copies_itself(call, position):
            return
        units = memory.touched(handle.values)
        if units is not None:
            memory.writes.append(Write(self._index - 1, units, position))
            memory.held = handle
            memory.data = (memory.data and not memory.blank) or data
            memory.blank = False
            memory.broken = memory.broken or broken
            memory.maker = self._index - 1
            return
        whole = handle.values.size >= np.prod(memory.geometry.shape)
        memory.data = data if call.overwritten and whole else memory.data or data
        memory.broken = broken if call.overwritten and whole else memory.broken or broken
        memory.blank = False
        memory.writes.clear()
        memory.held = None
        values = memory.geometry.view()
        self._judge(call, Target("memory", position), memory, values, memory.data, foreign)
        memory.maker = self._index - 1

    def _made(
        self,
        call: Call,
        position: int,
        handle: Handle,
        data: bool,
        foreign: Foreigners,
        *,
        broken: bool,
    ) -> None:
        """Judge a new array."""
        results: Side = "results"
        where = self._index - 1, call.name, results, position, handle.values.shape
        found = self._axes.find(*where)
        found = self._consistent(
            found, [m for o in call.operands if (m := self._memories.get(o.memory)) is not None]
        )
        memory = Memory(Geometry.of(handle.values), handle.alive, found, data, blank=call.blank)
        memory.broken = broken and (bool(found) or self._axes.grows(*where))
        self._memories[handle.memory] = memory
        if not call.blank:
            target = Target("result", position)
            self._judge(call, target, memory, handle.values, data, foreign)
        memory.maker = self._index - 1

    def _judge(
        self,
        call: Call,
        target: Target,
        memory: Memory,
        values: Array,
        data: bool,
        foreign: Foreigners,
    ) -> None:
        memory.asymmetric = False
        if not memory.layouts:
            return
        if fitting := self._symmetric(values, memory.layouts):
            memory.layouts, memory.broken = fitting, False
            return
        memory.asymmetric = True
        if memory.broken:
            return
        positions, beside = foreign()
        if call.random:
            kind: Kind = "random"
        elif not data or (positions and not beside):
            origins = [(foreign.origin, foreign.index) for foreign in positions]
            memory.source = next((o for o in origins if o[0] in ("unseen", "cut")), None)
            return
        else:
            kind = "operand" if positions else "operation"
        layout = self._likeliest(values, memory.layouts)
        odd, usual = unlike(groups(values, layout), self._firsts)
        pair = pieces(call, self.steps[-1], odd, usual)
        index = self._index - 1
        apart = facts.asymmetry(values, layout, self._firsts)
        suspect = Suspect(index, kind, target, layout, apart, positions, None, pair, (odd, usual))
        self._suspect(suspect, memory, values)

    def _settle(self, memory: Memory) -> None:
        """Judge an array that was written in parts, once it is used as a whole."""
        values = memory.geometry.view()
        fitting = self._symmetric(values, memory.layouts)
        memory.asymmetric = not fitting
        memory.broken = memory.broken and memory.asymmetric
        memory.layouts = fitting or memory.layouts
        if memory.asymmetric and memory.data and not memory.broken:
            layout = self._likeliest(values, memory.layouts)
            odd, usual = unlike(groups(values, layout), self._firsts)
            write, other = blamed(memory.writes, self.steps, odd, usual)
            pair = None if other is None else (write.index, other.index)
            target = Target("memory", write.position)
            apart = facts.asymmetry(values, layout, self._firsts)
            units = touched(memory.writes, self.steps, write)
            suspect = Suspect(
                write.index, "write", target, layout, apart, (), units, pair, (odd, usual)
            )
            self._suspect(suspect, memory, values)
        memory.writes, memory.held = [], None

    def _suspect(self, suspect: Suspect, memory: Memory, values: Array) -> None:
        self.suspects.append(suspect)
        if suspect.index in self._spared:
            memory.broken = True
            return
        repaired = make_alike(values, suspect.layout, self._firsts)
        memory.asymmetric = False
        if values.flags.writeable:
            values[...] = repaired
        else:
            self._replaced[suspect.target.position] = repaired

    def _symmetric(self, values: Array, layouts: Sequence[Layout]) -> tuple[Layout, ...]:
        """Return the layouts by which all like units are the same."""
        return tuple(layout for layout in layouts if alike(values, layout, self._firsts))

    def _likeliest(self, values: Array, layouts: Sequence[Layout]) -> Layout:
        if len(layouts) == 1 or len(layouts[0].axes) == 2:
            return layouts[0]
        return max(layouts, key=lambda layout: agreement(values, layout))

    @staticmethod
    def _consistent(layouts: tuple[Layout, ...], memories: Sequence[Memory]) -> tuple[Layout, ...]:
        """Keep the layouts that agree with those known of operands with an axis of that length."""
        known: dict[int, set[int]] = {}
        for memory in memories:
            for layout in memory.layouts if not memory.writes else ():
                for axis in layout.axes:
                    known.setdefault(axis.length, set()).add(axis.before)
        agreeing = tuple(
            layout
            for layout in layouts
            if all(
                axis.length not in known or axis.before in known[axis.length]
                for axis in layout.axes
            )
        )
        return agreeing or layouts

    @staticmethod
    def _copies_itself(call: Call, position: int) -> bool:
        """Recognise the assignment at the end of ``a[i] += b``, which the addition has done."""
        own = Geometry.of(call.operands[position].values)
        return call.overwritten and any(
            other not in call.written and Geometry.of(handle.values) == own
            for other, handle in enumerate(call.operands)
        )
