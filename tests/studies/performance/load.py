"""How near the core comes to the rate at which this machine can load from its caches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from symmetry.network.core import tile_for
from tests.studies.performance.limits import bytes_per_product
from tests.studies.performance.measure import Point
from tests.studies.performance.sweeps import Measured

LISTED = 0.7  # below such a share of nonzeros no block is dense


@dataclass(frozen=True)
class Rate:
    """What one nonzero times one tile of units takes one thread, and the limit for it.

    Attributes
    ----------
    name
        What was measured, for people.
    nanoseconds
        The measured time.
    limit
        The time that the loads alone take at the machine's best rate.
    loop
        The time that the core's innermost loop takes when all that it reads is in the cache.
    is_core
        Whether it is the core in a real training.
    """

    name: str
    nanoseconds: float
    limit: float
    loop: float
    is_core: bool = True

    @property
    def share(self) -> float:
        """The share of the limit that is reached: 1 is all that the machine can do."""
        return self.limit / self.nanoseconds


def rates(measured: Measured) -> list[Rate]:
    """Return the limit, the innermost loop at its best, and the core in its trainings."""
    limits = measured.limits

    def made(name: str, dtype: str, nanoseconds: float, is_core: bool = True) -> Rate:
        size = 1e9 * bytes_per_product(dtype)
        return Rate(
            f"{name}, {dtype}",
            nanoseconds,
            size / limits.fastest(),
            size / limits.product[dtype],
            is_core,
        )

    def of(point: Point) -> str:
        return in_words(point.setting.threads)

    by_threads = {
        threads: [
            point
            for point in measured.by_share
            if (point.setting.threads, point.setting.dtype) == (threads, "float32")
            and point.share < LISTED
        ]
        for threads in measured.plan.threads
    }
    size = 1e9 * bytes_per_product("float32")
    return [
        made("loads and nothing else", "float32", size / limits.loads, False),
        *(
            made("innermost loop in L1", dtype, 1e9 * bytes_per_product(dtype) / rate, False)
            for dtype, rate in limits.product.items()
        ),
        *(
            made(f"one more nonzero, {in_words(threads)}", "float32", marginal(points))
            for threads, points in by_threads.items()
        ),
        *(
            made(f"whole iteration, {of(point)}", point.setting.dtype, average(point))
            for point in measured.main
        ),
    ]


def in_words(threads: int) -> str:
    """Return "1 thread" or "2 threads"."""
    return f"{threads} thread{'' if threads == 1 else 's'}"


def tiles(point: Point) -> int:
    """Return the tiles that the point's hidden units fill."""
    itemsize = np.dtype(point.setting.dtype).itemsize
    width = tile_for(point.setting.hidden, itemsize, point.share)
    return -(-point.setting.hidden * itemsize // width)


def average(point: Point) -> float:
    """Return a whole iteration's nanoseconds by product and thread, all else included."""
    spent = 1e9 * point.median("core") * point.setting.threads
    return spent / (point.visits * tiles(point))


def marginal(points: Sequence[Point]) -> float:
    """Return what one more product takes a thread: the slope of the time over the products.

    The rest of an iteration (sigmoid, softmax, the second layer) does not depend on the nonzeros.
    """
    products = [point.visits * tiles(point) for point in points]
    spent = [1e9 * point.median("core") * point.setting.threads for point in points]
    return float(np.polyfit(products, spent, 1)[0])
