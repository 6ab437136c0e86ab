"""Who is timed: this project's two cores, NumPy, and frameworks where they are installed.

An iteration is the same for all: an update, a pass over the training set for the loss after it and
the next gradient, and a pass over the test set. Data are converted before.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from symmetry.experiment.data.dataset import Dataset
from tests.studies.performance.problems import INPUTS, Problem

Advance = Callable[[], float]
NAMES = ("NumPy", "core", "collapsed")
FRAMEWORKS = {"PyTorch": "torch", "JAX": "jax"}  # and the names of their steps and packages
LR = 0.01
ENDLESS = 10**9


def installed() -> tuple[str, ...]:
    """Return the frameworks that can be timed here."""
    return tuple(name for name, package in FRAMEWORKS.items() if find_spec(package))


def contestant(name: str, problem: Problem, hidden: int, dtype: str, threads: int) -> Advance:
    """Return what trains for one more iteration and returns the loss after it.

    The name is one of `NAMES` and `FRAMEWORKS`. Only the cores take the number of threads here;
    that of the others is a setting of the whole process.
    """
    w1 = np.zeros((INPUTS + 1, hidden), dtype)
    w2 = np.zeros((hidden + 1, problem.classes), dtype)
    if name == "NumPy":
        return with_numpy(problem, w1, w2)
    if name in FRAMEWORKS:
        return with_a_framework(name, problem, w1, w2)
    return with_a_core(name, problem, w1, w2, threads)


def dataset(problem: Problem) -> Dataset:
    """Return the problem as the contestants take it."""
    sets = problem.x, problem.labels, problem.test_x, problem.test_labels
    return Dataset("images", {}, (1, INPUTS), *sets, problem.classes)


def with_numpy(problem: Problem, w1: Any, w2: Any) -> Advance:
    """Return what trains by NumPy."""
    from tests.studies.frameworks.contestants.numpy import (
        contestant,  # Numba would count as its memory
    )

    training = contestant(dataset(problem), w1, w2, LR)
    return lambda: next(training).loss


def with_a_framework(name: str, problem: Problem, w1: Any, w2: Any) -> Advance:
    """Return what trains by PyTorch or JAX."""
    from tests.studies.frameworks.contestants import contestant

    training = contestant(FRAMEWORKS[name])(dataset(problem), w1, w2, LR)
    return lambda: next(training).loss


def with_a_core(name: str, problem: Problem, w1: Any, w2: Any, threads: int) -> Advance:
    """Return what trains the full or the collapsed core."""
    from symmetry.network import formulas
    from symmetry.network.core import Core
    from symmetry.network.descent import CollapsedCore, train

    kind, weights = Core, (w1, w2)
    if name == "collapsed":
        kind, weights = CollapsedCore, formulas.collapse(w1, w2)
    sizes = {
        "classes": problem.classes,
        "hidden": w1.shape[1],
        "dtype": w1.dtype.name,
        "threads": threads,
    }
    cores = (
        kind(problem.x, problem.labels, **sizes),
        kind(problem.test_x, problem.test_labels, **sizes),
    )
    history = train(*cores, weights, LR, ENDLESS)
    return lambda: next(history).loss
