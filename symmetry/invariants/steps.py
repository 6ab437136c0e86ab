"""Running a trainer's step: what the invariants need to know of a trainer, and no more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from symmetry.invariants.problem import Floats, Problem


class Result(Protocol):
    """What one step returned, and the x and y that it was handed, as it left them."""

    @property
    def w1(self) -> Floats: ...  # noqa: D102
    @property
    def w2(self) -> Floats: ...  # noqa: D102
    @property
    def x(self) -> Floats: ...  # noqa: D102
    @property
    def y(self) -> Floats: ...  # noqa: D102


class Run(Protocol):
    """One training run: it copies its arguments, so that nothing handed in ever changes."""

    def __call__(self, x: Floats, y: Floats, w1: Floats, w2: Floats, lr: float) -> Result:
        """Take one step."""
        ...


class Trainer(Protocol):
    """Anything that begins training runs which know nothing of each other."""

    def start(self) -> Run:
        """Begin a run."""
        ...


class Weights(NamedTuple):
    """The weights of the network, and how to reach them by name."""

    w1: Floats
    w2: Floats

    def matrices(self) -> tuple[tuple[str, Floats], tuple[str, Floats]]:
        """Return both with their names."""
        return ("w1", self.w1), ("w2", self.w2)

    def units(self, order: NDArray[np.int_]) -> Weights:
        """Return weights with unit ``order[k]`` in place k; units may be repeated or left out."""
        return Weights(self.w1[:, order], self.w2[np.concatenate([[0], order + 1])])

    def finite(self) -> bool:
        """Return whether every entry is a finite number."""
        return all(bool(np.isfinite(matrix).all()) for matrix in self)


def start_of(problem: Problem) -> Weights:
    """Return the weights a run begins with."""
    return Weights(problem.w1, problem.w2)


def from_zero(problem: Problem) -> Problem:
    """Return the same problem with all weights zero at the start."""
    return replace(problem, w1=np.zeros_like(problem.w1), w2=np.zeros_like(problem.w2))


def take(run: Run, problem: Problem, weights: Weights) -> Weights:
    """Return the weights after one step of a run."""
    result = run(problem.x, problem.y, weights.w1, weights.w2, problem.lr)
    return Weights(result.w1, result.w2)


def train(trainer: Trainer, problem: Problem) -> Iterator[Weights]:
    """Yield the weights after each step of a fresh run.

    The first iteration with a number that is not finite is the last one.
    """
    run, weights = trainer.start(), start_of(problem)
    for _ in range(problem.iterations):
        weights = take(run, problem, weights)
        yield weights
        if not weights.finite():
            return
