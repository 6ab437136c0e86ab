"""The Numba core: the network whose bits never change, whatever the machine or thread count.

Here samples are cut into chunks and given to threads; what a chunk computes, in which order, and
why it is fast stands in `kernels.py`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, TypeVar

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
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
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


class Chunk:
    """A range of samples with its lists of nonzeros, each made when it is first needed."""

    def __init__(self, x: NDArray[Any], labels: NDArray[np.int64], dtype: str):
        self.x, self.labels, self.dtype = x, labels, dtype
        inputs = x.shape[1] + 1
        self.parts = -(-inputs // kernels.PART)
        self.part = -(-inputs // self.parts)

    @cached_property
    def _nonzeros(self) -> int:
        return int(np.count_nonzero(self.x)) + len(self.x)

    def _lists(self, *shape: int) -> kernels.Nonzeros:
        return kernels.Nonzeros(
            np.empty(self._nonzeros, self.dtype),
            np.empty(self._nonzeros, np.uint8),
            np.zeros(shape, np.int64),
        )

    @cached_property
    def by_sample(self) -> kernels.Nonzeros:
        """The lists of the forward pass."""
        blocks = -(-len(self.x) // kernels.BLOCK)
        lists = self._lists(blocks, self.parts, kernels.BLOCK + 1)
        kernels.list_by_sample(self.x, self.part, *lists)
        return lists

    @cached_property
    def by_input(self) -> kernels.Nonzeros:
        """The lists of the backward pass."""
        lists = self._lists(-(-len(self.x) // kernels.SUB_BLOCK), self.x.shape[1] + 2)
        kernels.list_by_input(self.x, *lists)
        return lists


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
        self.chunks = [Chunk(x[a:b], truth[a:b], dtype) for a, b in chunk_bounds(self.n)]
        self.threads = Threads(threads)
        itemsize = np.dtype(dtype).itemsize
        self._tile = kernels.TILE_BYTES // itemsize
        self._class_tile = kernels.LINE_BYTES // itemsize
        self._order = np.arange(max(kernels.BLOCK, self._tile, classes))

    @cached_property
    def _gradients(self) -> kernels.Gradients:
        """Return room for the gradients of every chunk, in arrays that start with the chunk."""
        chunks, tiles = len(self.chunks), -(-self.hidden // self._tile)
        return kernels.Gradients(
            aligned_zeros((chunks, tiles, self.inputs + 1, self._tile), self.dtype),
            aligned_zeros((chunks, tiles, self.classes, self._tile), self.dtype),
            aligned_zeros((chunks, self.classes), self.dtype),
        )

    def _weights(self, w1: Floats, w2: Floats) -> kernels.Weights:
        return kernels.Weights(
            tiled(w1, self._tile), tiled(w2, self._class_tile), tiled(w2[1:].T, self._tile)
        )

    def _mean(self, parts: Floats) -> Floats:
        """Return the chunks' sum divided by n: (chunks, tiles, rows, tile) to (rows, columns)."""
        _, tiles, rows, tile = parts.shape
        mean = np.empty((rows, tiles, tile), self.dtype)
        bounds = chunk_bounds(rows)
        self.threads.map(lambda ab: kernels.reduce(parts, self.n, *ab, mean), bounds)
        return mean.reshape(rows, -1)

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
        totals = self._gradients

        def differentiate(chunk: Chunk, *gradients: Floats) -> float:
            loss: float = kernels.differentiate(
                chunk.labels,
                chunk.by_sample,
                chunk.by_input,
                chunk.part,
                self._order,
                weights,
                kernels.Gradients(*gradients),
            )
            return loss

        losses = self.threads.map(differentiate, self.chunks, *totals)
        g1 = self._mean(totals.w1)[:, : self.hidden]
        b2 = self._mean(totals.b2[:, None, None])
        g2 = self._mean(totals.w2)[:, : self.hidden]
        return mean_loss(losses, self.n), (g1, np.concatenate([b2, g2.T]))

    def evaluate(self, w1: Floats, w2: Floats) -> tuple[float, NDArray[np.int64]]:
        """Return the mean loss at these weights and the (n,) predicted labels."""
        weights = self._weights(w1, w2)
        predictions = [np.empty(len(chunk.labels), np.int64) for chunk in self.chunks]

        def evaluate(chunk: Chunk, predictions: NDArray[np.int64]) -> float:
            loss: float = kernels.evaluate(
                chunk.labels, chunk.by_sample, chunk.part, self._order, weights, predictions
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
