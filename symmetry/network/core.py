"""The Numba core: the network whose bits never change, whatever the machine or thread count.

Here samples are cut into chunks and given to threads; what a chunk computes, in which order, and
why it is fast stands in `kernels.py`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

from symmetry.network import kernels
from symmetry.network.training import update

Floats = NDArray[np.floating[Any]]
T = TypeVar("T")

CHUNKS = 16


def chunk_bounds(n: int) -> list[tuple[int, int]]:
    """Return the sample ranges whose gradients are summed apart: they depend on n alone.

    At most 16, as equal as can be, and no more than there are blocks of 256 samples.
    """
    chunks = min(CHUNKS, -(-n // kernels.BLOCK))
    return [(n * c // chunks, n * (c + 1) // chunks) for c in range(chunks)]


def mean_loss(losses: list[float], n: int) -> float:
    """Return the chunks' losses, summed in ascending order, divided by n."""
    total = 0.0
    for loss in losses:  # not sum(), which compensates since Python 3.12
        total += loss
    return total / n


def default_threads() -> int:
    """Return NUMBA_NUM_THREADS, which is all cores unless the environment says otherwise."""
    return int(numba.config.NUMBA_NUM_THREADS)


class Threads:
    """Computes chunks at the same time; what they write does not depend on how many threads."""

    def __init__(self, threads: int | None):
        self.count = default_threads() if threads is None else threads

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.count - 1, thread_name_prefix="symmetry")

    def map(self, function: Callable[..., T], *arguments: Iterable[Any]) -> list[T]:
        """Return ``function`` of each tuple of arguments, in order.

        Whoever is free takes the next one, the calling thread included: a core that is busy with
        something else slows nobody down.
        """
        waiting = deque(enumerate(zip(*arguments, strict=True)))
        results: dict[int, T] = {}

        def work() -> None:
            while True:
                try:
                    position, each = waiting.popleft()
                except IndexError:
                    return
                results[position] = function(*each)

        helpers = min(self.count, len(waiting)) - 1
        futures = [self._pool.submit(work) for _ in range(helpers)]
        try:
            work()
        finally:
            waiting.clear()
            for future in futures:
                future.result()
        return [results[position] for position in range(len(results))]


def aligned_zeros(shape: tuple[int, ...], dtype: str | np.dtype[Any]) -> Floats:
    """Return zeros from a cache line on: rows that straddle lines cost up to half the speed."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.zeros(size + kernels.LINE_BYTES, np.uint8)
    start = -memory.ctypes.data % kernels.LINE_BYTES
    return memory[start : start + size].view(dtype).reshape(shape)


def tiled(matrix: Floats, width: int) -> Floats:
    """Return (rows, columns) as (tiles, rows, width), the last tile padded with zeros."""
    rows, columns = matrix.shape
    tiles = aligned_zeros((-(-columns // width), rows, width), matrix.dtype)
    for tile, first in zip(tiles, range(0, columns, width), strict=True):
        tile[:, : columns - first] = matrix[:, first : first + width]
    return tiles


class Tile(NamedTuple):
    """How hidden units are cut, and what follows from it: never a bit, but the time.

    Attributes
    ----------
    width
        Bytes of a tile, one of `kernels.TILES`.
    sub_block
        Samples whose deltas stay in the first-level cache.
    dense
        A block is dense if more than this share of its inputs are not zero.
    """

    width: int
    sub_block: int
    dense: float


TILES = (Tile(64, 256, 0.5), Tile(256, 64, 0.75), Tile(416, 64, 0.85))
SHORTEST = 20  # nonzeros that are worth a list of their own
MOST_INDEXED = 2**16  # inputs of a part


def tile_for(hidden: int, itemsize: int) -> Tile:
    """Return the tile for so many units: the fewest bytes to load, a list's start included."""
    return min(TILES, key=lambda tile: -(-hidden * itemsize // tile.width) * (tile.width + 128))


class Chunk:
    """A range of samples with its lists of nonzeros, each made when it is first needed."""

    gradients: kernels.Gradients

    def __init__(self, x: NDArray[Any], labels: NDArray[np.int64], dtype: str, tile: Tile):
        self.labels = labels
        self._x, self._dtype, self._tile = x, dtype, tile

    @cached_property
    def _nonzeros(self) -> NDArray[np.int64]:
        """The nonzeros of each block, without the column of ones."""
        starts = range(0, len(self._x), kernels.BLOCK)
        return np.array([np.count_nonzero(self._x[s : s + kernels.BLOCK]) for s in starts])

    @cached_property
    def _is_dense(self) -> NDArray[np.bool_]:
        sizes = np.full(len(self._nonzeros), kernels.BLOCK)
        sizes[-1] = len(self._x) - kernels.BLOCK * (len(sizes) - 1)
        dense: NDArray[np.bool_] = self._nonzeros > self._tile.dense * self._x.shape[1] * sizes
        return dense & (sizes >= kernels.SUB_BLOCK)  # of fewer samples no panels are worth making

    @cached_property
    def _dense(self) -> NDArray[np.int64]:
        """The number of each dense block among such, -1 for the others."""
        return np.where(self._is_dense, np.cumsum(self._is_dense) - 1, -1)

    def _panels(self, by_input: bool) -> Floats:
        """Return the dense blocks, ones column included, cut for one of the passes."""
        inputs = self._x.shape[1] + 1
        many, sub, block = kernels.MANY, kernels.SUB_BLOCK, kernels.BLOCK
        columns = -(-inputs // many) * many
        shape: tuple[int, ...] = (block // many, inputs, many)
        if by_input:
            shape = (block // sub, columns // many, sub, many)
        panels = aligned_zeros((int(self._is_dense.sum()), *shape), self._dtype)
        if not len(panels):
            return panels
        room = np.zeros((block, columns), self._dtype)
        for to, start in zip(panels, block * np.flatnonzero(self._is_dense), strict=True):
            rows = self._x[start : start + block]
            room[:, 0] = np.arange(block) < len(rows)
            room[: len(rows), 1:inputs] = rows
            room[len(rows) :] = 0
            if by_input:
                to[:] = room.reshape(block // sub, sub, -1, many).swapaxes(1, 2)
            else:
                to[:] = room[:, :inputs].reshape(-1, many, inputs).swapaxes(1, 2)
        return panels

    def _lists(self, groups: int, most: int) -> kernels.Nonzeros:
        """Return room for the lists of all blocks that are not dense."""
        listed = int(self._nonzeros[~self._is_dense].sum()) + len(self._x)
        return empty_lists(listed, min(listed, most), groups, self._dtype)

    @cached_property
    def inputs(self) -> kernels.Inputs:
        """What the forward pass reads."""
        n, inputs = len(self._x), self._x.shape[1] + 1
        share = self._nonzeros.sum() / self._x.size if self._x.size else 0
        fits = kernels.PART_BYTES // self._tile.width
        useful = min(int(SHORTEST / max(share, 1e-9)), MOST_INDEXED)
        parts = -(-inputs // max(fits, useful))
        part = -(-inputs // parts)
        lists = self._lists(len(self._dense) * parts, n * parts)
        count = kernels.list_by_sample(self._x, self._dense, part, lists)
        panels = self._panels(by_input=False)
        return kernels.Inputs(shortened(lists, count), part, self._dense, panels)

    @cached_property
    def by_input(self) -> kernels.ByInput:
        """The lists of the backward pass."""
        n, inputs = len(self._x), self._x.shape[1] + 1
        size = self._tile.sub_block
        groups = -(-n // size)
        lists = self._lists(groups, groups * inputs)
        count = kernels.list_by_input(self._x, self._dense, size, lists)
        return kernels.ByInput(shortened(lists, count), size, self._panels(by_input=True))

    def make_room(self, hidden: int, classes: int) -> None:
        """Clear the gradients, or make room for them: rows for inputs that the chunk has only.

        Beyond a few thousand inputs most are zero in all samples of a chunk, and clearing and
        adding up their rows would be the most work of all.
        """
        if hasattr(self, "gradients"):
            for part in self.gradients:
                part[:] = 0
            return
        inputs, totals = self._x.shape[1] + 1, self.by_input.lists.totals
        present = np.flatnonzero(np.bincount(totals, minlength=inputs))
        self.rows: slice | NDArray[np.int64] = slice(None)
        if 2 * len(present) < inputs and not self._is_dense.any():
            self.rows = present
            inputs = len(present)
            totals[:] = np.searchsorted(present, totals)
        width = self._tile.width // np.dtype(self._dtype).itemsize
        tiles = -(-hidden // width)
        self.gradients = kernels.Gradients(
            aligned_zeros((tiles, inputs, width), self._dtype),
            aligned_zeros((tiles, classes, width), self._dtype),
            aligned_zeros((classes,), self._dtype),
        )


def empty_lists(nonzeros: int, lists: int, groups: int, dtype: str) -> kernels.Nonzeros:
    """Return room for lists, and for one number that is tried behind their last."""
    return kernels.Nonzeros(
        np.empty(nonzeros + 1, dtype),
        np.empty(nonzeros + 1, np.uint16),
        np.empty(lists, np.int32),
        np.zeros(lists + 1, np.int64),
        np.zeros(groups + 1, np.int64),
    )


def not_wanted(dtype: str) -> tuple[kernels.ByInput, kernels.Gradients]:
    """Return what `kernels.visit` gets where no gradients are wanted."""
    return (
        kernels.ByInput(empty_lists(0, 0, 0, dtype), 1, aligned_zeros((0,) * 5, dtype)),
        kernels.Gradients(*(aligned_zeros((0,) * axes, dtype) for axes in (3, 3, 1))),
    )


def room_for(weights: kernels.Weights) -> kernels.Room:
    """Return room for a block."""
    tiles, classes, tile = weights.w2_back.shape
    class_tiles, _, class_tile = weights.w2.shape
    shapes = (
        (tiles, kernels.BLOCK, tile),
        (class_tiles, kernels.BLOCK, class_tile),
        (classes, kernels.BLOCK),
        (kernels.BLOCK, classes),
        (kernels.SUB_BLOCK, tile),
        (3, kernels.BLOCK),
    )
    return kernels.Room(*(aligned_zeros(shape, weights.w1.dtype) for shape in shapes))


def shortened(lists: kernels.Nonzeros, count: int) -> kernels.Nonzeros:
    """Return the lists without the room that no list needs."""
    return lists._replace(totals=lists.totals[:count].copy(), ends=lists.ends[: count + 1].copy())


class Core:
    """The network on one set of samples.

    Parameters
    ----------
    x
        Inputs without the column of ones, (n, inputs), any real dtype; not copied.
    labels
        (n,) integers from 0 to classes - 1.
    classes, hidden
        Sizes of the output and of the hidden layer.
    dtype
        In which everything is computed: "float32" or "float64".
    threads
        How many compute at the same time; all cores by default. Results do not depend on it.
    """

    def __init__(
        self,
        x: NDArray[Any],
        labels: NDArray[np.integer[Any]],
        *,
        classes: int,
        hidden: int,
        dtype: str = "float32",
        threads: int | None = None,
    ):
        self.n, self.inputs = x.shape
        self.classes, self.hidden, self.dtype = classes, hidden, dtype
        x, truth = np.ascontiguousarray(x), labels.astype(np.int64)
        itemsize = np.dtype(dtype).itemsize
        tile = tile_for(hidden, itemsize)
        self.chunks = [Chunk(x[a:b], truth[a:b], dtype, tile) for a, b in chunk_bounds(self.n)]
        self.threads = Threads(threads)
        self._tile = tile.width // itemsize
        self._class_tile = kernels.LINE_BYTES // itemsize

    def _weights(self, w1: Floats, w2: Floats) -> kernels.Weights:
        return kernels.Weights(
            tiled(w1, self._tile),
            tiled(w2, self._class_tile),
            tiled(w2[1:].T, self._tile),
            bool(np.isfinite(w1).all()),
        )

    def _mean_w1(self) -> Floats:
        """Return the chunks' gradients by w1, added up in ascending order, divided by n."""
        mean = np.empty((self.inputs + 1, self.hidden), self.dtype)

        def add_up(tile: int) -> None:
            total = np.zeros((self.inputs + 1, self._tile), self.dtype)
            for chunk in self.chunks:
                total[chunk.rows] += chunk.gradients.w1[tile]
            columns = mean[:, tile * self._tile : (tile + 1) * self._tile]
            np.divide(total[:, : columns.shape[1]], mean.dtype.type(self.n), out=columns)

        tiles = range(-(-self.hidden // self._tile))
        if len(self.chunks) > 1:
            self.threads.map(add_up, tiles)
        else:  # so little that to start a thread takes longer
            for tile in tiles:
                add_up(tile)
        return mean

    def _mean_w2(self) -> Floats:
        """Return the same by w2."""
        total, bias = (np.zeros_like(part) for part in self.chunks[0].gradients[1:])
        for chunk in self.chunks:
            total += chunk.gradients.w2
            bias += chunk.gradients.b2
        rows = total.swapaxes(1, 2).reshape(-1, self.classes)[: self.hidden]
        mean: Floats = np.concatenate([bias[None], rows]) / rows.dtype.type(self.n)
        return mean

    def gradient(self, w1: Floats, w2: Floats) -> tuple[float, tuple[Floats, Floats]]:
        """Return the mean loss at these weights and its gradients.

        Parameters
        ----------
        w1, w2
            (inputs + 1, hidden) and (hidden + 1, classes), of the core's dtype.

        Returns
        -------
        loss, (g1, g2)
            The gradients are shaped like the weights.
        """
        weights = self._weights(w1, w2)

        def differentiate(chunk: Chunk) -> float:
            chunk.make_room(self.hidden, self.classes)
            loss: float = kernels.visit(
                *(chunk.labels, chunk.inputs, chunk.by_input, weights),
                *(np.empty(0, np.int64), chunk.gradients, room_for(weights)),
            )
            return loss

        losses = self.threads.map(differentiate, self.chunks)
        return mean_loss(losses, self.n), (self._mean_w1(), self._mean_w2())

    def evaluate(self, w1: Floats, w2: Floats) -> tuple[float, NDArray[np.int64]]:
        """Return the mean loss at these weights and the (n,) predicted labels."""
        weights = self._weights(w1, w2)
        predictions = [np.empty(len(chunk.labels), np.int64) for chunk in self.chunks]

        by_input, gradients = not_wanted(self.dtype)

        def evaluate(chunk: Chunk, predictions: NDArray[np.int64]) -> float:
            loss: float = kernels.visit(
                *(chunk.labels, chunk.inputs, by_input, weights),
                *(predictions, gradients, room_for(weights)),
            )
            return loss

        losses = self.threads.map(evaluate, self.chunks, predictions)
        return mean_loss(losses, self.n), np.concatenate(predictions)


def step(
    x: Floats, y: Floats, w1: Floats, w2: Floats, lr: float, threads: int | None = None
) -> tuple[Floats, Floats]:
    """Return the weights after one full-batch gradient step, as `formulas.step` does.

    `y` is one-hot; the dtype is that of the weights.
    """
    core = Core(
        x,
        y.argmax(axis=1),
        classes=w2.shape[1],
        hidden=w1.shape[1],
        dtype=w1.dtype.name,
        threads=threads,
    )
    _, gradients = core.gradient(w1, w2)
    w1, w2 = update((w1, w2), gradients, lr)
    return w1, w2
