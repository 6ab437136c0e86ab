"""What this machine can do at best: loads from its first-level cache, bytes from its memory, and
fused multiplications with additions, by its BLAS and by the core.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from threadpoolctl import threadpool_limits

from symmetry.network.core import aligned_zeros
from symmetry.network.kernels import (
    LINE_BYTES,
    LINES,
    PART,
    TILES,
    TOTALS,
    WIDE_BYTES,
    multiply_add,
)

TILE_BYTES = TILES[-1]  # that of 200 hidden units
L1_BYTES = 16 * 1024  # half of the smallest first-level cache that is common
MEMORY_BYTES = 256 * 1024 * 1024  # well beyond any last-level cache
SQUARE = 768  # rows and columns of matrices that a BLAS multiplies at its best


@njit(nogil=True)
def sum_up(words: Any, times: int) -> int:
    """Combine all words, `times` over: nothing but loads, as wide and as many as LLVM can."""
    total = 0
    for turn in range(times):
        for k in range(len(words)):
            total ^= words[k]
        words[turn % len(words)] = total  # or LLVM would leave out every second turn
    return total


@njit(nogil=True, error_model="numpy")
def multiply(total: Any, values: Any, indices: Any, rows: Any, times: int) -> None:
    """Add a list of multiples of rows, `times` over: the core's innermost loop at its best."""
    if len(total) != rows.shape[1] or len(indices) != len(values):
        raise ValueError("total and rows, or values and indices, are not as long as each other")
    width = rows.shape[1] * rows.itemsize
    for _ in range(times):
        multiply_add(total, values, indices, 0, len(values), rows, width, 1)


@njit(nogil=True)
def multiply_matrices(totals: Any, values: Any, rows: Any, times: int) -> None:
    """Add a product of matrices, `times` over: the core's dense loop at its best."""
    line, (count, terms) = LINE_BYTES // rows.itemsize, values.shape
    shapes = (LINES, TOTALS, line), (LINES, terms, line)
    if count != TOTALS or (totals.shape, rows.shape) != shapes:
        raise ValueError("totals, values or rows are not as many or as long as the loop takes")
    for _ in range(times):
        multiply_add(totals, values, None, 0, terms, rows, WIDE_BYTES, TOTALS)


@dataclass(frozen=True)
class Limits:
    """Rates of one thread in bytes per second, and of several together for the memory.

    Attributes
    ----------
    loads
        From the first-level cache, by a loop that does nothing else.
    product
        By dtype: what the products' loop itself loads when all that it needs is in that cache.
    memory
        By thread count.
    dense, blas
        By dtype: additions and multiplications per second of one thread, in the core's dense loop
        when all that it needs is in the cache, and in NumPy's BLAS.
    """

    loads: float
    product: dict[str, float]
    memory: dict[int, float]
    dense: dict[str, float]
    blas: dict[str, float]

    def fastest(self) -> float:
        """Return the highest rate of loads that was seen: the limit."""
        return max(self.loads, *self.product.values())


def bytes_per_product(dtype: str) -> int:
    """Return what one nonzero times one tile of units has to load: a row, a value, an index."""
    return TILE_BYTES + np.dtype(dtype).itemsize + 2


def measure_limits(threads: tuple[int, ...], tries: int) -> Limits:
    """Measure all of them, the best of `tries` short tries each."""
    dtypes = ("float32", "float64")
    return Limits(
        loads=l1_loads(tries),
        product={dtype: products(dtype, tries) for dtype in dtypes},
        memory={count: memory(count, max(3, tries // 20)) for count in threads},
        dense={dtype: dense(dtype, tries) for dtype in dtypes},
        blas={dtype: blas(dtype, max(3, tries // 10)) for dtype in dtypes},
    )


def l1_loads(tries: int) -> float:
    """Return the bytes per second that one thread can load from its first-level cache."""
    words = aligned_zeros((L1_BYTES // 8,), "float64").view(np.int64)
    times = 1000
    return words.nbytes * times / best(lambda: sum_up(words, times), tries)


def products(dtype: str, tries: int) -> float:
    """Return the bytes per second that the products' loop loads from the first-level cache."""
    lanes = TILE_BYTES // np.dtype(dtype).itemsize
    rows = aligned_zeros((L1_BYTES // TILE_BYTES, lanes), dtype)
    values = np.ones(500, dtype)
    indices = np.random.default_rng(0).integers(0, len(rows), len(values)).astype(np.uint16)
    total, times = aligned_zeros((lanes,), dtype), 500
    taken = best(lambda: multiply(total, values, indices, rows, times), tries)
    return bytes_per_product(dtype) * len(values) * times / taken


def dense(dtype: str, tries: int) -> float:
    """Return the operations per second of the core's dense loop."""
    lanes = LINE_BYTES // np.dtype(dtype).itemsize
    totals, rows = (aligned_zeros((LINES, count, lanes), dtype) for count in (TOTALS, PART))
    values, times = aligned_zeros((PART, TOTALS), dtype).T, 500
    taken = best(lambda: multiply_matrices(totals, values, rows, times), tries)
    return 2 * TOTALS * LINES * PART * lanes * times / taken


def blas(dtype: str, tries: int) -> float:
    """Return the operations per second of one thread in NumPy's product of two matrices."""
    a = np.ones((SQUARE, SQUARE), dtype)
    with threadpool_limits(1, "blas"):
        return 2 * SQUARE**3 / best(lambda: a @ a, tries)


def memory(threads: int, tries: int) -> float:
    """Return the bytes per second that so many threads together read from main memory."""
    parts = np.array_split(np.ones(MEMORY_BYTES // 8, np.int64), threads)
    with ThreadPoolExecutor(threads) as pool:
        taken = best(lambda: list(pool.map(sum_up, parts, [1] * threads)), tries)
    return MEMORY_BYTES / taken


def best(call: Callable[[], object], tries: int) -> float:
    """Return the shortest time of a call, after one that compiles and warms up."""
    call()
    times = []
    for _ in range(tries):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)
