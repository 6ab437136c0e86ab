"""Times contestants in turn, so that whatever else the machine does hits all of them alike."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from statistics import median

from threadpoolctl import threadpool_limits

from tests.studies.performance.contestants import contestant
from tests.studies.performance.problems import Problem, images, scattered

LEAST = 1.0  # s that all turns together take, in up to `MORE` times as many rounds as asked for
MORE = 5
PAUSE = 0.1  # s before each turn: OpenBLAS' threads spin for a while after their work is done


@dataclass(frozen=True)
class Setting:
    """One point of a sweep; `share` is that of made-up inputs, None means MNIST's images."""

    n: int = 60_000
    hidden: int = 200
    share: float | None = None
    dtype: str = "float32"
    threads: int = 2
    classes: int = 10

    def problem(self) -> Problem:
        """Return its data."""
        if self.share is None:
            return images(self.n)
        return scattered(self.n, self.share, self.classes)


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


def measure(settings: Iterable[Setting], names: tuple[str, ...], rounds: int) -> list[Point]:
    """Return a point for each setting, in their order; each number of threads in its own process.

    A process may run on as many cores as it has threads: JAX takes no other limit.
    """
    settings = list(settings)
    found: dict[Setting, Point] = {}
    for threads in sorted({setting.threads for setting in settings}):
        chosen = [setting for setting in settings if setting.threads == threads]
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, spawn, initializer=limit, initargs=(threads,)) as pool:
            found |= pool.submit(measure_here, chosen, names, rounds, PAUSE).result()
    return [found[setting] for setting in settings]


def limit(threads: int) -> None:
    """Let this process, before it has loaded anything, run on so many cores."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])


def measure_here(
    settings: list[Setting], names: tuple[str, ...], rounds: int, pause: float
) -> dict[Setting, Point]:
    """Measure in this process; data are kept while settings share them."""
    kept: tuple[tuple[int, float | None, int], Problem] | None = None
    found = {}
    for setting in settings:
        key = setting.n, setting.share, setting.classes
        if kept is None or kept[0] != key:
            kept = key, setting.problem()
        problem = kept[1]
        if "PyTorch" in names:
            import torch

            torch.set_num_threads(setting.threads)
        with threadpool_limits(setting.threads, "blas"):
            times = seconds(setting, problem, names, rounds, pause)
        found[setting] = Point(setting, problem.nonzeros, problem.visits, problem.share, times)
    return found


def seconds(
    setting: Setting, problem: Problem, names: tuple[str, ...], rounds: int, pause: float
) -> dict[str, tuple[float, ...]]:
    """Return every contestant's times; what makes lists or compiles happens before."""
    sizes = setting.hidden, setting.dtype, setting.threads
    contestants = {name: contestant(name, problem, *sizes) for name in names}
    for advance in contestants.values():
        advance()
    times: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(MORE * rounds):
        if turn >= rounds and sum(map(sum, times.values())) > LEAST:
            break
        for name, advance in contestants.items():
            time.sleep(pause)
            start = time.perf_counter()
            advance()
            times[name].append(time.perf_counter() - start)
    return {name: tuple(measured) for name, measured in times.items()}
