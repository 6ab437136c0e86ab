"""Making a failing case smaller, greedily.

Hypothesis cannot do this: the arrays follow from a seed, so every change of a size redraws them
all, and a rounding fault that was there by chance is gone by chance. So each size is tried with
several seeds, and what counts is how often the invariant may be run, never the time it takes.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

from symmetry.checker.draws import sizes_below
from symmetry.law.case import DATA, WEIGHTS, Case

MAX_RUNS = 400
MAX_WORK = 500_000_000  # of all runs together, in n * i * h * iterations

_SIZES = ("iterations", "n", "i", "h", "c")
_SEEDS = (0, 1, 2)
_RATES = (1.0, 0.1, 0.01)

T = TypeVar("T")


def shrink(
    case: Case, failure: T, fails: Callable[[Case], T | None], max_runs: int = MAX_RUNS
) -> tuple[Case, T]:
    """Return the smallest failing case found, and how it fails.

    ``fails`` runs the invariant on a case, at most ``max_runs`` times: it returns what is wrong, as
    it returned ``failure`` for this case, or None.
    """
    tried, work = {case}, 0

    def accept(name: str) -> bool:
        """Run cases with less of one value until one fails, and keep that; say if one did."""
        nonlocal case, failure, work
        for changes in _simpler(case, name):
            candidate = replace(case, **changes)
            if candidate in tried or work + candidate.work > MAX_WORK:
                continue
            if len(tried) > max_runs:
                return False
            tried.add(candidate)
            work += candidate.work
            if (found := fails(candidate)) is not None:
                case, failure = candidate, found
                return True
        return False

    before = None
    while case != before:
        before = case
        for name in _SIZES:
            while accept(name):
                pass
        for name in ("lr", "weights", "data", "seed"):
            accept(name)
    return case, failure


def _simpler(case: Case, name: str) -> Iterator[dict[str, Any]]:
    """Yield changes to a smaller size, or a simpler value of another kind, simplest first."""
    value = getattr(case, name)
    if name in _SIZES:
        for size in sizes_below(value):
            for seed in (case.seed, *_SEEDS):
                yield {name: size, "seed": seed}
        return
    # Zero, cloned and other random starts are different things; none becomes another.
    cloned = [start for start in WEIGHTS if start.startswith("cloned")]
    random = [start for start in WEIGHTS[1:] if start not in cloned]
    starts = cloned if case.weights in cloned else random if case.weights in random else []
    choices = {"lr": _RATES, "weights": starts, "data": DATA, "seed": _SEEDS}[name]
    for choice in choices:
        if choice == value:
            return
        yield {name: choice}
