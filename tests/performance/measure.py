"""Times contestants in turn, so that whatever else the machine does hits all of them alike."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median

from threadpoolctl import threadpool_limits

from tests.performance.contestants import NAMES, contestant
from tests.performance.problems import Problem, images, scattered

PAUSE = 0.1  # s before each turn: OpenBLAS' threads spin for a while after their work is done


@dataclass(frozen=True)
class Setting:
    """One point of a sweep; `share` is that of made-up inputs, None means MNIST's images."""

    n: int = 60_000
    hidden: int = 200
    share: float | None = None
    dtype: str = "float32"
    threads: int = 2

    def problem(self) -> Problem:
        """Return its data."""
        return images(self.n) if self.share is None else scattered(self.n, self.share)


@dataclass(frozen=True)
class Point:
    """What was measured at a setting.

    Attributes
    ----------
    nonzeros, visits, share
        As `Problem` has them.
    seconds
        By contestant, the time of each iteration.
    """

    setting: Setting
    nonzeros: int
    visits: int
    share: float
    seconds: dict[str, tuple[float, ...]]

    def median(self, name: str) -> float:
        """Return a contestant's seconds per iteration."""
        return median(self.seconds[name])

    def ratio(self, name: str = "core") -> float:
        """Return how many times as fast as NumPy a contestant is."""
        return self.median("NumPy") / self.median(name)


def measure(settings: Iterable[Setting], rounds: int) -> Iterator[Point]:
    """Yield a point for each setting; data are kept while settings share them."""
    kept: tuple[tuple[int, float | None], Problem] | None = None
    for setting in settings:
        key = setting.n, setting.share
        if kept is None or kept[0] != key:
            kept = key, setting.problem()
        problem = kept[1]
        with threadpool_limits(setting.threads, "blas"):
            times = seconds(setting, problem, rounds)
        yield Point(setting, problem.nonzeros, problem.visits, problem.share, times)


def seconds(setting: Setting, problem: Problem, rounds: int) -> dict[str, tuple[float, ...]]:
    """Return every contestant's times; what makes lists or compiles happens before."""
    sizes = setting.hidden, setting.dtype, setting.threads
    contestants = {name: contestant(name, problem, *sizes) for name in NAMES}
    for advance in contestants.values():
        advance()
    times: dict[str, list[float]] = {name: [] for name in NAMES}
    for _ in range(rounds):
        for name, advance in contestants.items():
            time.sleep(PAUSE)
            start = time.perf_counter()
            advance()
            times[name].append(time.perf_counter() - start)
    return {name: tuple(measured) for name, measured in times.items()}
