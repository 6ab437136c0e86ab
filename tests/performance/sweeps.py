"""All that a run measures, in full or in a quick version that only shows that it works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

from tests.performance.limits import Limits, measure_limits
from tests.performance.measure import Point, Setting, measure
from tests.performance.memory import peaks

DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class Plan:
    """What to measure."""

    n: int = 60_000
    hidden: tuple[int, ...] = (25, 50, 100, 200, 400, 800)
    samples: tuple[int, ...] = (7_500, 15_000, 30_000, 60_000)
    shares: tuple[float, ...] = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
    threads: tuple[int, ...] = (1, 2)
    rounds: int = 7
    tries: int = 300


FULL = Plan()
QUICK = Plan(
    n=6_000, hidden=(25, 100), samples=(1_500, 6_000), shares=(0.1, 0.2, 1.0), rounds=2, tries=20
)


@dataclass(frozen=True)
class Measured:
    """Everything that a report shows; the sweeps are float32.

    Attributes
    ----------
    main
        MNIST at 200 units, both dtypes.
    by_hidden, by_samples, by_share
        The sweeps.
    peaks
        By dtype and contestant, bytes.
    """

    plan: Plan
    peaks: dict[str, dict[str, int]]
    limits: Limits
    main: tuple[Point, ...]
    by_hidden: tuple[Point, ...]
    by_samples: tuple[Point, ...]
    by_share: tuple[Point, ...]


def run(plan: Plan, say: Callable[[str], None]) -> Measured:
    """Measure it all; `say` is told what comes next."""
    say("memory")
    memory = {dtype: peaks(plan.n, dtype) for dtype in DTYPES}  # first: see `peaks`
    say("limits of the machine")
    limits = measure_limits(plan.threads, plan.tries)

    def sweep(name: str, settings: list[Setting]) -> tuple[Point, ...]:
        say(name)
        return tuple(measure(settings, plan.rounds))

    n, threads = plan.n, plan.threads
    return Measured(
        plan,
        memory,
        limits,
        sweep("MNIST", [Setting(n, dtype=d, threads=t) for d, t in product(DTYPES, threads)]),
        sweep("hidden units", [Setting(n, h, threads=t) for h, t in product(plan.hidden, threads)]),
        sweep("samples", [Setting(m, threads=t) for m, t in product(plan.samples, threads)]),
        sweep(
            "nonzeros", [Setting(n, share=s, threads=t) for s, t in product(plan.shares, threads)]
        ),
    )
