"""The index that cuts one array out of another."""

from __future__ import annotations

import numpy as np

from symmetry.explain.snapshot import Piece


def as_index(root: Piece, part: Piece) -> str | None:
    """Return the index that cuts ``part`` out of ``root``, for instance ``[:, 3]``; None if none.

    Both lie in the same block of memory.
    """
    if part == root:
        return ""
    rest = part.offset - root.offset
    starts: dict[int, int] = {}
    for axis in sorted(range(len(root.shape)), key=lambda axis: -root.strides[axis]):
        if root.strides[axis] <= 0 or rest < 0:
            return None
        starts[axis], rest = divmod(rest, root.strides[axis])
    key: list[int | slice] = [starts[axis] for axis in range(len(root.shape))]
    axis = 0
    for length, stride in zip(part.shape, part.strides, strict=True):
        while axis < len(root.shape) and not _runs(root, axis, starts[axis], length, stride):
            axis += 1
        if axis == len(root.shape):
            return None
        step = max(1, stride // root.strides[axis])
        key[axis] = slice(starts[axis], starts[axis] + (length - 1) * step + 1, step)
        axis += 1
    room = np.empty(root.offset + _extent(root), np.uint8)
    cut = root.of([room])[(*key, ...)]
    there = cut.__array_interface__["data"][0] - room.__array_interface__["data"][0]
    if (there, cut.shape, cut.strides) != (part.offset, part.shape, part.strides):
        return None
    written = [_index(k, n) for k, n in zip(key, root.shape, strict=True)]
    written += [] if part.shape else ["..."]  # a view even of a single entry
    return f"[{', '.join(written)}]"


def _extent(piece: Piece) -> int:
    reach = sum((n - 1) * s for n, s in zip(piece.shape, piece.strides, strict=True))
    return reach + piece.dtype.itemsize


def _runs(root: Piece, axis: int, start: int, length: int, stride: int) -> bool:
    """Return whether a view's axis can run along this axis of the root."""
    step, rest = divmod(stride, root.strides[axis])
    return rest == 0 and step >= 1 and start + (length - 1) * step < root.shape[axis]


def _index(key: int | slice, length: int) -> str:
    if isinstance(key, int):
        return str(key)
    start = str(key.start) if key.start else ""
    stop = "" if key.stop + key.step > length else str(key.stop)
    return f"{start}:{stop}" + (f":{key.step}" if key.step != 1 else "")
