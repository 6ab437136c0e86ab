"""All that a run measures, in full or in a quick version that only shows that it works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product

from tests.studies.performance.contestants import NAMES, installed
from tests.studies.performance.limits import Limits, measure_limits
from tests.studies.performance.measure import Point, Setting, measure
from tests.studies.performance.memory import peaks

DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class Plan:
    """What to measure: MNIST whole, then sweeps with fewer samples.

    Attributes
    ----------
    n, swept
        Training samples of MNIST, and of a sweep.
    names
        Who is timed.
    """

    n: int = 60_000
    swept: int = 20_000
    shares: tuple[float, ...] = (0, 0.1, 0.25, 0.5, 0.75, 0.9, 1)
    hidden: tuple[int, ...] = (1, 16, 50, 105, 200, 400, 800)
    classes: tuple[int, ...] = (10, 100, 1000)
    threads: tuple[int, ...] = (1, 2)
    names: tuple[str, ...] = (*NAMES, *installed())
    rounds: int = 5
    tries: int = 300


FULL = Plan()
QUICK = Plan(n=6_000, swept=1_500, hidden=(16, 200), shares=(0, 0.5, 1), rounds=2, tries=20)
CLASSES_SHARE = 0.19  # of nonzeros where classes are swept: about MNIST's


@dataclass(frozen=True)
class Measured:
    """Everything that a report shows.

    Attributes
    ----------
    main
        MNIST at 200 units.
    by_share, by_hidden, by_classes
        The sweeps.
    peaks
        By dtype and contestant, bytes.
    """

    plan: Plan
    peaks: dict[str, dict[str, int]]
    limits: Limits
    main: tuple[Point, ...]
    by_share: tuple[Point, ...]
    by_hidden: tuple[Point, ...]
    by_classes: tuple[Point, ...]


def run(plan: Plan, say: Callable[[str], None]) -> Measured:
    """Measure it all; `say` is told what comes next."""
    say("memory")
    memory = {dtype: peaks(plan.n, dtype) for dtype in DTYPES}  # first: see `peaks`
    say("limits of the machine")
    limits = measure_limits(plan.threads, plan.tries)

    def sweep(name: str, settings: list[Setting]) -> tuple[Point, ...]:
        say(name)
        each = [
            replace(setting, dtype=dtype, threads=threads)
            for setting, dtype, threads in product(settings, DTYPES, plan.threads)
        ]
        return tuple(measure(each, plan.names, plan.rounds))

    n = plan.swept
    return Measured(
        plan,
        memory,
        limits,
        sweep("MNIST", [Setting(plan.n)]),
        sweep("nonzeros", [Setting(n, share=share) for share in plan.shares]),
        sweep("hidden units", [Setting(n, hidden) for hidden in plan.hidden]),
        sweep("classes", [Setting(n, share=CLASSES_SHARE, classes=c) for c in plan.classes]),
    )
