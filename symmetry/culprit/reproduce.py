"""From recorded operations to the draft of a script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from symmetry.culprit import facts
from symmetry.culprit.index import as_index
from symmetry.culprit.layout import Axis, Layout
from symmetry.culprit.material import Material
from symmetry.culprit.script import Draft, Part, Script, write
from symmetry.culprit.snapshot import Piece, Snapshot
from symmetry.culprit.suspect import Suspect

Array = NDArray[Any]


def script(snapshot: Snapshot, suspect: Suspect, comment: str) -> Script | None:
    """Write a script for one operation, None if it cannot be written down or shows nothing."""
    if len(suspect.layout.axes) != 1:
        return None
    (axis,) = suspect.layout.axes
    part = _part(snapshot, suspect)
    if part is None:
        return None
    apart = None
    if axis.outer > 1 or axis.inner > 1:
        side, position = suspect.target.side, suspect.target.position
        judged = snapshot.results[position] if side == "result" else snapshot.after[position]
        before, after = judged.shape[: axis.number], judged.shape[axis.number + 1 :]
        apart = (*before, axis.outer, axis.length, axis.inner, *after)
    return write(Draft([part], axis, comment, snapshot.random, apart))


def script_of_two(odd: Snapshot, usual: Snapshot, comment: str) -> Script | None:
    """Write a script that compares the results of two operations."""
    one = _part(odd, None)
    other = None if one is None else _part(usual, None, [m for m, _ in one.operands])
    if one is None or other is None or not odd.results or not usual.results:
        return None
    shapes = zip(odd.results[0].shape, usual.results[0].shape, strict=False)
    axes = [axis for axis, (length, other) in enumerate(shapes) if length != other]
    return write(Draft([one, other], Axis(axes[0], 0, 1) if axes else None, comment))


def _part(
    snapshot: Snapshot, suspect: Suspect | None, known: Sequence[Material] = ()
) -> Part | None:
    """Return the call, with materials for its operands; None if it cannot be written down."""
    if snapshot.operation.module == "jax":
        return None
    foreign = {f.position for f in suspect.foreign} if suspect else set()
    target = suspect.target if suspect else None
    arrays, owners = snapshot.arrays()
    operands: list[tuple[Material, str]] = []
    roots: dict[int, Material] = {}
    for position, piece in enumerate(snapshot.operands):
        if piece.block not in roots:
            root, values, layout = _root(snapshot, suspect, piece.block, arrays, owners)
            material = Material(
                values,
                root,
                layout,
                position not in foreign,
                snapshot.operation.dtypes[position],
                snapshot.overwritten and root == piece and position in snapshot.written,
                len(roots) % 4,
            )
            roots[piece.block] = next((m for m in known if _same(m, material)), material)
        root = roots[piece.block].piece
        index = as_index(root, Piece(root.block, *_rest(piece)))
        if index is None:
            return None
        operands.append((roots[piece.block], index))
    judged = None
    if target is not None and target.side == "memory":
        judged = roots[snapshot.operands[target.position].block]
    return Part(
        snapshot.operation,
        operands,
        target.position if target else 0,
        judged,
        len(snapshot.results) > 1,
    )


def _rest(piece: Piece) -> tuple[Any, ...]:
    return piece.offset, piece.shape, piece.strides, piece.dtype


def _same(one: Material, other: Material) -> bool:
    """Return whether two operands may be one and the same variable."""
    return _rest(one.piece) == _rest(other.piece) and facts.identical(one.values, other.values)


def _root(
    snapshot: Snapshot,
    suspect: Suspect | None,
    block: int,
    arrays: list[Array],
    owners: dict[int, Array],
) -> tuple[Piece, Array, Layout | None]:
    """Return the array of a block that all its other arrays are cut out of."""
    for position, owner in snapshot.owners.items():
        if owner.block == block:
            written = suspect is not None and position == suspect.target.position
            layout = suspect.layout if suspect is not None and written else None
            return owner, owners[position], layout
    largest = max(
        (p for p, piece in enumerate(snapshot.operands) if piece.block == block),
        key=lambda p: arrays[p].size,
    )
    return snapshot.operands[largest], arrays[largest], snapshot.layouts[largest]
