"""The index that cuts one array out of another."""

from __future__ import annotations

import numpy as np

from symmetry.culprit.snapshot import Piece


def as_index(root: Piece, part: Piece) -> str | None:
    """Return the index that cuts ``part`` out of ``root``, for instance ``[:, 3]``; None if none.

    Both lie in the same block of memory.
    """
    if part == root:
        return ""
    if min(root.strides, default=1) <= 0 or part.offset < root.offset:
        return None
    key = _key(root, part)
    if key is not None and _cut(root, key) == (part.offset, part.shape, part.strides):
        written = [_index(k, n) for k, n in zip(key, root.shape, strict=True)]
        written += [] if part.shape else ["..."]  # a view even of a single entry
        return f"[{', '.join(written)}]"
    flat = _flat(root)
    if flat is None or len(root.shape) == 1:
        return None
    index = as_index(flat, part)
    return index and f".reshape(-1){index}"


def _key(root: Piece, part: Piece) -> list[int | slice] | None:
    """Return a number or a slice for each axis of the root, by the distances in memory."""
    rest = part.offset - root.offset
    starts: dict[int, int] = {}
    for axis in sorted(range(len(root.shape)), key=lambda axis: -root.strides[axis]):
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
    return key


def _cut(
    root: Piece, key: list[int | slice]
) -> tuple[int, tuple[int, ...], tuple[int, ...]] | None:
    """Return where the indexed part lies: the offset in the block, its shape and its strides."""
    reach = sum((n - 1) * s for n, s in zip(root.shape, root.strides, strict=True))
    room = np.empty(root.offset + reach + root.dtype.itemsize, np.uint8)
    try:
        cut = root.of([room])[(*key, ...)]
    except IndexError:
        return None
    start = room.__array_interface__["data"][0]
    return cut.__array_interface__["data"][0] - start, cut.shape, cut.strides


def _flat(root: Piece) -> Piece | None:
    """Return a contiguous array as one of a single axis."""
    size = root.dtype.itemsize
    for length, stride in zip(root.shape[::-1], root.strides[::-1], strict=True):
        if stride != size:
            return None
        size *= length
    itemsize = root.dtype.itemsize
    return Piece(root.block, root.offset, (size // itemsize,), (itemsize,), root.dtype)


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
