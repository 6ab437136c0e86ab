"""The Numba core: the network with the same bits on every machine and for every thread count.

Here samples are cut into chunks and given to threads; what a chunk computes, in which order, and
why it is fast stands in `kernels.py`.
"""

import math
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from threading import Lock
from typing import Any, TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

from symmetry.network import kernels

Floats = NDArray[np.floating[Any]]
Weights = tuple[Floats, ...]
T = TypeVar("T")

CHUNKS = 16


def chunk_bounds(n: int) -> list[tuple[int, int]]:
    """Return the sample ranges whose gradients are summed apart: they depend on n alone.

    At most 16, as equal as can be, and no more than there are blocks of 256 samples.
    """
    chunks = min(CHUNKS, -(-n // kernels.BLOCK))
    return [(n * c // chunks, n * (c + 1) // chunks) for c in range(chunks)]


class Threads:
    """Computes chunks at the same time; what they write does not depend on how many threads.

    By default there are NUMBA_NUM_THREADS, which are all cores unless the environment says
    otherwise.
    """

    def __init__(self, threads: int | None):
        self.count = int(numba.config.NUMBA_NUM_THREADS) if threads is None else threads

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.count, thread_name_prefix="symmetry")

    def map(self, function: Callable[..., T], *arguments: Sequence[Any]) -> list[T]:
        """Return ``function`` of each tuple of arguments, in order; whoever is free takes one."""
        alone = self.count == 1 or len(arguments[0]) == 1
        return list((map if alone else self._pool.map)(function, *arguments))


def aligned_zeros(shape: tuple[int, ...], dtype: str | np.dtype[Any]) -> Floats:
    """Return zeros from a cache line on: rows that straddle lines cost up to half the speed."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.zeros(size + kernels.LINE_BYTES, np.uint8)
    start = -memory.__array_interface__["data"][0] % kernels.LINE_BYTES
    return memory[start : start + size].view(dtype).reshape(shape)


def tiled(matrix: Floats, width: int) -> Floats:
    """Return (rows, columns) as (tiles, rows, width), the last tile padded with zeros."""
    rows, columns = matrix.shape
    tiles = aligned_zeros((-(-columns // width), rows, width), matrix.dtype)
    for tile, first in zip(tiles, range(0, columns, width), strict=True):
        tile[:, : columns - first] = matrix[:, first : first + width]
    return tiles


LINE = kernels.LINE_BYTES  # the tile of dense blocks
# The cost of a nonzero in a list per line of a tile, where a dense block's inputs cost 1: a tile
# of one line waits for its own additions, while those of wider tiles run side by side.
ALONE, ABREAST = 2.2, 1.2
SHORTEST = 14  # nonzeros that are worth a list of their own
MOST_INDEXED = 2**16  # inputs of a part


def tile_for(hidden: int, itemsize: int, share: float) -> int:
    """Return the tile for ``hidden`` units and a share of inputs that are not zero.

    Among the tiles for lists it is the one with the fewest bytes to load, a list's start included.
    """
    size = hidden * itemsize
    lists = min(kernels.TILES, key=lambda tile: -(-size // tile) * (tile + 128))
    lines = -(-size // lists) * lists / LINE * (ALONE if lists == LINE else ABREAST)
    return LINE if share * lines > -(-size // LINE) else lists


def panel_for(dtype: str | np.dtype[Any]) -> int:
    """Return how many samples lie side by side in a panel of a dense block."""
    return kernels.PANEL_BYTES // np.dtype(dtype).itemsize


def sub_block_for(tile: int) -> int:
    """Return how many samples' deltas stay in the first-level cache: a power of two."""
    return 1 << (kernels.PART_BYTES // tile).bit_length() - 1


class Chunk:
    """A range of samples with its lists of nonzeros, each made when it is first needed."""

    def __init__(self, x: NDArray[Any], labels: NDArray[np.int64], dtype: str, tile: int):
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
        dense: NDArray[np.bool_] = self._nonzeros * ALONE > self._x.shape[1] * sizes
        # Panels of fewer samples do not pay, and wide tiles mean that lists are faster.
        return dense & (sizes >= kernels.SUB_BLOCK) & (self._tile == LINE)

    @cached_property
    def _dense(self) -> NDArray[np.int64]:
        """The number of each dense block among such, -1 for the others."""
        return np.where(self._is_dense, np.cumsum(self._is_dense) - 1, -1)

    @cached_property
    def _panels(self) -> Floats:
        """The dense blocks by panel, input (the one of ones first) and sample."""
        inputs = self._x.shape[1] + 1
        panel = panel_for(self._dtype)
        count, height = -(-kernels.BLOCK // panel), -(-inputs // kernels.ACROSS) * kernels.ACROSS
        dense = np.flatnonzero(self._is_dense) * kernels.BLOCK
        beyond = kernels.PANELS - 1  # which may be read with the last one, but are of no effect
        memory = aligned_zeros((len(dense) * count + beyond, height, panel), self._dtype)
        panels = memory[: len(dense) * count].reshape(len(dense), count, height, panel)
        for block, start in zip(panels, dense, strict=True):
            rows = self._x[start : start + kernels.BLOCK]
            for first in range(0, len(rows), panel):
                samples = rows[first : first + panel]
                to = block[first // panel, :inputs, : len(samples)]
                to[0] = 1
                to[1:] = samples.T
        return panels

    def _lists(self, groups: int, most: int) -> kernels.Nonzeros:
        """Return room for the lists of all blocks that are not dense."""
        listed = int(self._nonzeros[~self._is_dense].sum()) + len(self._x)
        lists = min(listed, most)
        return kernels.Nonzeros(
            np.empty(listed + 1, self._dtype),  # one number is tried behind the last
            np.empty(listed + 1, np.uint16),
            np.empty(lists, np.int32),
            np.zeros(lists + 1, np.int64),
            np.zeros(groups + 1, np.int64),
        )

    @cached_property
    def inputs(self) -> kernels.Inputs:
        """The inputs as the forward pass reads them."""
        n, inputs = len(self._x), self._x.shape[1] + 1
        share = self._nonzeros.sum() / self._x.size if self._x.size else 0
        fits = kernels.PART_BYTES // self._tile
        useful = min(int(SHORTEST / max(share, 1e-9)), MOST_INDEXED)
        parts = -(-inputs // max(fits, useful))
        part = -(-inputs // parts)
        lists = self._lists(len(self._dense) * parts, n * parts)
        count = kernels.list_by_sample(self._x, self._dense, part, lists)
        return kernels.Inputs(shortened(lists, count), part, self._dense, self._panels)

    @cached_property
    def by_input(self) -> kernels.ByInput:
        """The lists of the backward pass."""
        n, inputs = len(self._x), self._x.shape[1] + 1
        size = sub_block_for(self._tile)
        groups = -(-n // size)
        lists = self._lists(groups, groups * inputs)
        count = kernels.list_by_input(self._x, self._dense, size, lists)
        return kernels.ByInput(shortened(lists, count), size)

    @cached_property
    def rows(self) -> slice | NDArray[np.int64]:
        """The inputs for which the gradient by w1 has rows: those that the chunk has only.

        Beyond a few thousand inputs most are zero in all samples of a chunk, and clearing and
        adding up their rows would be the most work of all.
        """
        totals = self.by_input.lists.totals
        present = np.flatnonzero(np.bincount(totals))
        if self._is_dense.any() or 2 * len(present) > self._x.shape[1]:
            return slice(None)
        totals[:] = np.searchsorted(present, totals)
        return present

    @cached_property
    def height(self) -> int:
        """How many rows that gradient has, with those that pad panels."""
        if isinstance(self.rows, slice):
            padded: int = self._panels.shape[2]
            return padded if self._is_dense.any() else self._x.shape[1] + 1
        return len(self.rows)


def empty_gradients(weights: kernels.Weights, rows: int) -> kernels.Gradients:
    """Return zeros for ``rows`` inputs."""
    tiles, classes, tile = weights.w2_back.shape
    shapes = (tiles, rows, tile), (tiles, classes, tile), (classes,)
    return kernels.Gradients(*(aligned_zeros(shape, weights.w1.dtype) for shape in shapes))


def room_for(weights: kernels.Weights) -> kernels.Room:
    """Return room for a block."""
    tiles, classes, tile = weights.w2_back.shape
    class_tiles, _, class_tile = weights.w2.shape
    beyond = kernels.PANELS * panel_for(weights.w1.dtype)  # samples that pad panels
    shapes = (
        (tiles, kernels.BLOCK + beyond, tile),
        (class_tiles, kernels.BLOCK, class_tile),
        (classes, kernels.BLOCK),
        (kernels.BLOCK, classes),
        (kernels.SUB_BLOCK, tile),
        (3, kernels.BLOCK),
        (tile, kernels.BLOCK + beyond),
    )
    return kernels.Room(*(aligned_zeros(shape, weights.w1.dtype) for shape in shapes))


def shortened(lists: kernels.Nonzeros, count: int) -> kernels.Nonzeros:
    """Return the lists without the room that no list needs."""
    return lists._replace(totals=lists.totals[:count].copy(), ends=lists.ends[: count + 1].copy())


class AnyCore(ABC):
    """A network on one set of samples, cut into chunks.

    Parameters
    ----------
    x
        Inputs without the column of ones, (n, inputs), any real dtype.
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
        # Compiled code trusts them, and would write beyond an array for others.
        if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
            raise ValueError(f"labels must be from 0 to {classes - 1}")
        self.n, self.inputs = len(x), int(x.shape[1])
        self.classes, self.hidden, self.dtype = classes, hidden, dtype
        self.threads = Threads(threads)
        self.shapes: tuple[tuple[int, ...], ...]  # of the weights
        self.chunks: Sequence[Any]  # each with the ``labels`` of its samples
        self._hold(x, labels.astype(np.int64))

    @abstractmethod
    def _hold(self, x: NDArray[Any], labels: NDArray[np.int64]) -> None:
        """Make the chunks, and say what shapes the weights have."""

    @abstractmethod
    def _lay_out(self, *weights: Floats) -> Any:
        """Return weights as the kernels read them."""

    @abstractmethod
    def _visit(self, chunk: Any, weights: Any, predictions: Any, gradients: Any = None) -> float:
        """Return a chunk's summed loss; write its predicted labels, or its gradients if given."""

    @abstractmethod
    def _sums(self, weights: Any) -> tuple[list[float], Weights]:
        """Return the chunks' losses, and the gradients summed over all of them."""

    def _laid_out(self, weights: Weights) -> Any:
        """Refuse weights of another network, for the same reason as other labels."""
        if (found := tuple(w.shape for w in weights)) != self.shapes:
            raise ValueError(f"the weights must have the shapes {self.shapes}, and have {found}")
        return self._lay_out(*weights)

    def _mean(self, losses: list[float]) -> float:
        """Return the chunks' losses, summed in ascending order, divided by n."""
        total = 0.0
        for loss in losses:  # not sum(), which compensates since Python 3.12
            total += loss
        return total / self.n

    def gradient(self, *weights: Floats) -> tuple[float, Weights]:
        """Return the mean loss at these weights, and its gradients, shaped like the weights.

        Both are of the core's dtype.
        """
        losses, sums = self._sums(self._laid_out(weights))
        return self._mean(losses), tuple(total / total.dtype.type(self.n) for total in sums)

    def evaluate(self, *weights: Floats) -> tuple[float, NDArray[np.int64]]:
        """Return the mean loss at these weights and the (n,) predicted labels."""
        laid_out = self._laid_out(weights)
        predictions = [np.empty(len(chunk.labels), np.int64) for chunk in self.chunks]
        losses = self.threads.map(
            lambda chunk, to: self._visit(chunk, laid_out, to), self.chunks, predictions
        )
        return self._mean(losses), np.concatenate(predictions)


class Core(AnyCore):
    """The network: its weights are w1 (inputs + 1, hidden) and w2 (hidden + 1, classes)."""

    chunks: list[Chunk]

    def _hold(self, x: NDArray[Any], labels: NDArray[np.int64]) -> None:
        x, itemsize = np.ascontiguousarray(x), np.dtype(self.dtype).itemsize
        seen = x[:: 1 + self.n // 500]
        tile = tile_for(self.hidden, itemsize, np.count_nonzero(seen) / max(1, seen.size))
        self.shapes = (self.inputs + 1, self.hidden), (self.hidden + 1, self.classes)
        self.chunks = [
            Chunk(x[a:b], labels[a:b], self.dtype, tile) for a, b in chunk_bounds(self.n)
        ]
        self._tile = tile // itemsize
        self._class_tile = kernels.LINE_BYTES // itemsize
        unwanted = (aligned_zeros((0,) * axes, self.dtype) for axes in (3, 3, 1))
        self._unwanted = kernels.Gradients(*unwanted)  # where only a loss is asked for
        self._rooms: list[
            kernels.Room
        ] = []  # those in which no thread computes; one for each, at most
        self._spare: defaultdict[int, list[kernels.Gradients]] = defaultdict(list)  # by height

    def _lay_out(self, *weights: Floats) -> kernels.Weights:
        w1, w2 = weights
        return kernels.Weights(
            tiled(w1, self._tile),
            tiled(w2, self._class_tile),
            tiled(w2[1:].T, self._tile),
            bool(np.isfinite(w1).all()),
        )

    def _visit(self, chunk: Chunk, weights: Any, predictions: Any, gradients: Any = None) -> float:
        """Call `kernels.visit` with a room, of which nothing is read before it is written."""
        try:
            room = self._rooms.pop()
        except IndexError:
            room = room_for(weights)
        if gradients is None:
            by_input = kernels.ByInput(chunk.inputs.lists, 1)  # which is not read
            gradients = self._unwanted
        else:
            by_input = chunk.by_input
        inputs = chunk.labels, chunk.inputs, by_input
        loss: float = kernels.visit(*inputs, weights, predictions, gradients, room)
        self._rooms.append(room)
        return loss

    def _cleared(self, chunk: Chunk, weights: kernels.Weights) -> kernels.Gradients:
        """Return zeros for the chunk's gradients."""
        try:
            gradients = self._spare[chunk.height].pop()
        except IndexError:
            return empty_gradients(weights, chunk.height)
        for part in gradients:
            part[:] = 0
        return gradients

    def _sums(self, weights: kernels.Weights) -> tuple[list[float], Weights]:
        total = empty_gradients(weights, self.inputs + 1)
        lock, waiting, added = Lock(), dict[int, kernels.Gradients](), 0

        def add(position: int, gradients: kernels.Gradients) -> None:
            """Add up the results of chunks in ascending order, whichever is done first."""
            nonlocal added
            waiting[position] = gradients
            while added in waiting:
                chunk, new = self.chunks[added], waiting.pop(added)
                total.w1[:, chunk.rows] += new.w1[:, : self.inputs + 1]
                total.w2[:] += new.w2
                total.b2[:] += new.b2
                self._spare[chunk.height].append(new)
                added += 1

        def differentiate(position: int, chunk: Chunk) -> float:
            gradients = self._cleared(chunk, weights)
            loss = self._visit(chunk, weights, np.empty(0, np.int64), gradients)
            with lock:
                add(position, gradients)
            return loss

        losses = self.threads.map(differentiate, range(len(self.chunks)), self.chunks)
        g1 = total.w1.swapaxes(0, 1).reshape(self.inputs + 1, -1)[:, : self.hidden]
        g2 = total.w2.swapaxes(1, 2).reshape(-1, self.classes)[: self.hidden]
        return losses, (g1, np.concatenate([total.b2[None], g2]))


def update(weights: Weights, gradients: Weights, lr: float) -> Weights:
    """Return ``w - lr * g`` for each pair, every operation rounded to the weights' dtype."""
    return tuple(w - w.dtype.type(lr) * g for w, g in zip(weights, gradients, strict=True))


def step(
    x: Floats, y: Floats, w1: Floats, w2: Floats, lr: float, threads: int | None = None
) -> tuple[Floats, Floats]:
    """Return the weights after one full-batch gradient step, as `formulas.step` does.

    `y` is one-hot; the dtype is the weights' own.
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
