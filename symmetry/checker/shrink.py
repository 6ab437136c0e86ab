"""Making a failing case smaller, greedily.

Hypothesis cannot do this: the arrays follow from a seed, so every change of a size redraws them
all, and a rounding fault that was there by chance is gone by chance. So each size is tried with
several seeds, and what counts is how often the invariant may be run, never the time it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from symmetry.checker.case import DATA, WEIGHTS, Case

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

    Parameters
    ----------
    case, failure
        A failing case, and what ``fails`` returned for it.
    fails
        Runs the invariant on a case: what is wrong, or None.
    max_runs
        How often it is called at most.
    """
    search = _Search(case, failure, fails, max_runs)
    smaller = True
    while smaller:
        before = search.case
        for name in _SIZES:
            while search.accept_first(_with_seeds(search.case, name)):
                pass
        for name in ("lr", "weights", "data", "seed"):
            search.accept_first(_simpler(search.case, name))
        smaller = search.case != before
    return search.case, search.failure


def sizes_below(value: int) -> tuple[int, ...]:
    """Return what to try instead of a size, the smallest first."""
    tries = {1, 2, 3, 4, 5, value // 8, value // 4, value // 2, 3 * value // 4}
    tries |= {value - 8, value - 4, value - 2, value - 1}
    return tuple(sorted(size for size in tries if 1 <= size < value))


def _with_seeds(case: Case, name: str) -> Iterator[Case]:
    for size in sizes_below(getattr(case, name)):
        smaller = _changed(case, name, size)
        yield smaller
        for seed in _SEEDS:
            yield replace(smaller, seed=seed)


def _simpler(case: Case, name: str) -> Iterator[Case]:
    """Yield the case with a simpler learning rate, start, data or seed, the simplest first."""
    value = getattr(case, name)
    choices: tuple[Any, ...] = {
        "lr": _RATES,
        "weights": _starts_like(case.weights),
        "data": DATA,
        "seed": _SEEDS,
    }[name]
    simpler = choices[: choices.index(value)] if value in choices else choices
    for choice in simpler:
        yield _changed(case, name, choice)


def _starts_like(weights: str) -> tuple[str, ...]:
    """Zero, cloned and other random starts are different things; none becomes another."""
    if weights == "zero":
        return ("zero",)
    cloned = weights.startswith("cloned")
    return tuple(name for name in WEIGHTS[1:] if name.startswith("cloned") == cloned)


def _changed(case: Case, name: str, value: object) -> Case:
    changes: dict[str, Any] = {name: value}
    return replace(case, **changes)


@dataclass
class _Search(Generic[T]):
    """The smallest failing case so far, and what was spent on it."""

    case: Case
    failure: T
    fails: Callable[[Case], T | None]
    max_runs: int

    def __post_init__(self) -> None:
        self._tried = {self.case}
        self._work = 0

    def accept_first(self, candidates: Iterator[Case]) -> bool:
        """Run candidates until one fails, and keep that; return whether one did."""
        for candidate in candidates:
            if candidate in self._tried or self._work + candidate.work > MAX_WORK:
                continue
            if len(self._tried) > self.max_runs:
                return False
            self._tried.add(candidate)
            self._work += candidate.work
            failure = self.fails(candidate)
            if failure is not None:
                self.case, self.failure = candidate, failure
                return True
        return False
