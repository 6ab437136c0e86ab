"""One operation with its operands as they were: enough to do it again alone.

Operands are kept as blocks of memory, not as arrays: strides, gaps and the alignment of the first
byte can decide how a kernel works.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmetry.culprit.call import Call, Operation
from symmetry.culprit.geometry import Geometry, Handle
from symmetry.culprit.layout import Layout
from symmetry.culprit.place import Place

_ALIGNMENT = 4096  # a page: kernels do not look at more


@dataclass(frozen=True, eq=False)
class Block:
    """A copy of some bytes that can be put where they were aligned alike."""

    content: NDArray[np.uint8]
    misalignment: int

    def copy(self) -> NDArray[np.uint8]:
        """Return fresh writable bytes."""
        room = np.empty(len(self.content) + _ALIGNMENT, np.uint8)
        start = (self.misalignment - int(room.__array_interface__["data"][0])) % _ALIGNMENT
        fresh = room[start : start + len(self.content)]
        fresh[:] = self.content
        return fresh


@dataclass(frozen=True)
class Piece:
    """An array in a block."""

    block: int
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype[Any]

    def of(self, blocks: Sequence[NDArray[np.uint8]]) -> NDArray[Any]:
        """Return the array as a view of its block."""
        return np.ndarray(
            self.shape, self.dtype, blocks[self.block].data, self.offset, self.strides
        )


@dataclass(eq=False)
class Snapshot:
    """A call with copies of its operands, and later of its results.

    Attributes
    ----------
    name, place, operation
        Of the call.
    operands
        Where they lie in the blocks.
    owners
        Of every operand that is written to, the array that it is a view of.
    written
        Positions of those operands.
    overwritten
        Whether it does not matter what they held.
    random
        Whether it draws random numbers.
    layouts
        Of every operand, where its hidden units are; None for those that have none.
    results
        What the operation returned, copied.
    after
        Of every operand that is written to, what its owner held afterwards.
    """

    name: str
    place: Place
    operation: Operation
    operands: tuple[Piece, ...]
    owners: dict[int, Piece]
    blocks: tuple[Block, ...]
    written: tuple[int, ...]
    overwritten: bool
    random: bool
    layouts: tuple[Layout | None, ...]
    results: list[NDArray[Any]] = field(default_factory=list)
    after: dict[int, NDArray[Any]] = field(default_factory=dict)

    @classmethod
    def take(
        cls,
        call: Call,
        owners: Mapping[int, Geometry],
        layouts: Sequence[Layout | None],
    ) -> Snapshot:
        """Copy the operands of a call that has not been done yet."""
        spans: dict[int, list[Geometry]] = {}
        geometries = [Geometry.of(handle.values) for handle in call.operands]
        for handle, geometry in zip(call.operands, geometries, strict=True):
            spans.setdefault(handle.memory, []).append(geometry)
        for position, owner in owners.items():
            spans[call.operands[position].memory].append(owner)
        numbers: dict[int, int] = {}
        starts: dict[int, int] = {}
        blocks: list[Block] = []
        for memory, members in spans.items():
            start, end = min(m.span[0] for m in members), max(m.span[1] for m in members)
            numbers[memory], starts[memory] = len(blocks), start
            content = np.frombuffer(ctypes.string_at(start, end - start), np.uint8)
            blocks.append(Block(content, start % _ALIGNMENT))

        def piece(position: int, geometry: Geometry) -> Piece:
            memory = call.operands[position].memory
            return Piece(
                numbers[memory],
                geometry.address - starts[memory],
                geometry.shape,
                geometry.strides,
                geometry.dtype,
            )

        return cls(
            call.name,
            call.place,
            call.operation,
            tuple(piece(p, geometry) for p, geometry in enumerate(geometries)),
            {p: piece(p, geometry) for p, geometry in owners.items()},
            tuple(blocks),
            call.written,
            call.overwritten,
            call.random,
            tuple(layouts),
        )

    def finish(self, call: Call, results: Sequence[Handle]) -> None:
        """Keep what the operation made of its operands."""
        self.results = [np.array(handle.values) for handle in results]
        for position, owner in self.owners.items():
            handle = call.operands[position]
            shift = Geometry.of(handle.values).address - self.operands[position].offset
            geometry = Geometry(owner.offset + shift, owner.shape, owner.strides, owner.dtype)
            self.after[position] = np.array(geometry.view())

    def arrays(self) -> tuple[list[NDArray[Any]], dict[int, NDArray[Any]]]:
        """Return fresh operands as they were, and the owners of those that are written to."""
        blocks = [block.copy() for block in self.blocks]
        operands = [piece.of(blocks) for piece in self.operands]
        return operands, {position: piece.of(blocks) for position, piece in self.owners.items()}

    def replay(self) -> tuple[list[NDArray[Any]], dict[int, NDArray[Any]]]:
        """Do the operation alone; return its results and what it left in the owners."""
        operands, owners = self.arrays()
        return self.operation.perform(operands), owners
