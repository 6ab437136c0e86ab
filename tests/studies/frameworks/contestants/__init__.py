"""A whole training, for the comparison of frameworks: the same protocol, timed the same way."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from symmetry.experiment.data.dataset import Dataset
from symmetry.units.compare import Floats


class Iteration(NamedTuple):
    """What an iteration came to, at its very end even where the framework is asynchronous."""

    loss: float  # mean loss on the training set after the update
    correct: int  # test samples that are classified as labelled after the update
    w1: Any  # as the framework has it: the next iteration may write into it
    w2: Any


# Full-batch gradient descent on a data set, from w1 and w2, at a learning rate, as a competent user
# of one framework would write it. The weights say the dtype. Before the first iteration it does
# everything that need not be repeated: conversions to the framework's own arrays, and to the dtype.
# One iteration is one update, one pass over the training set that serves both the loss after the
# update and the next gradient, and one forward pass over the test set. The first one may compile.
Contestant = Callable[[Dataset, Floats, Floats, float], Iterator[Iteration]]


def contestant(name: str) -> Contestant:
    """Return what trains on a whole data set by the built-in step ``name``.

    Raises SymmetryError if its framework is not installed.
    """
    from symmetry.targets.resolve import resolve

    resolve(name)  # says what is missing
    found: Contestant = importlib.import_module(f"{__name__}.{name.replace('-', '_')}").contestant
    return found
