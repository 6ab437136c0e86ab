"""Where an observed run begins: data and weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmetry.checker import recipes
from symmetry.checker.case import Case
from symmetry.data.dataset import Dataset
from symmetry.data.random import Random
from symmetry.memory import refuse_beyond_memory
from symmetry.network.formulas import one_hot_encode

Floats = NDArray[np.floating[Any]]

_LIVE = 16  # arrays of one entry a sample and unit that are kept at once


@dataclass(frozen=True, eq=False)
class Start:
    """Where a run begins, and how far it goes.

    Attributes
    ----------
    x, y, w1, w2, lr
        As a step takes them.
    iterations
        Steps to take.
    """

    x: Floats
    y: Floats
    w1: Floats
    w2: Floats
    lr: float
    iterations: int

    @property
    def hidden(self) -> int:
        """The number of hidden units."""
        return int(self.w1.shape[1])

    @classmethod
    def of_case(cls, case: Case) -> Start:
        """Return the start that a case describes."""
        _refuse(case.n, case.i, case.h, case.dtype)
        made = recipes.problem(case)
        return cls(made.x, made.y, made.w1, made.w2, made.lr, made.iterations)

    @classmethod
    def of_dataset(
        cls,
        dataset: Dataset,
        samples: int | None,
        hidden: int,
        iterations: int,
        lr: float,
        dtype: str,
    ) -> Start:
        """Return zero weights on the first samples of a data set, None for all of them."""
        x = dataset.train_x[:samples]
        _refuse(len(x), dataset.inputs, hidden, dtype)
        y = one_hot_encode(dataset.train_labels[:samples], dataset.classes, dtype)
        w1 = np.zeros((dataset.inputs + 1, hidden), dtype)
        w2 = np.zeros((hidden + 1, dataset.classes), dtype)
        return cls(x.astype(dtype), y, w1, w2, lr, iterations)

    def with_equal_units(self) -> Start:
        """Return a start in which all units have the same weights, but not zero."""
        draw = Random(0)
        scale = 1 / np.sqrt(1 + float(np.mean(np.sum(self.x.astype(np.float64) ** 2, axis=1))))
        u = draw.normals((len(self.w1), 1)) * scale
        b, v = draw.normals((1, self.w2.shape[1])), draw.normals((1, self.w2.shape[1]))
        w1 = np.tile(u, (1, self.hidden)).astype(self.w1.dtype)
        w2 = np.concatenate([b, np.tile(v / self.hidden, (self.hidden, 1))])
        return replace(self, w1=w1, w2=w2.astype(self.w2.dtype))


def _refuse(samples: int, inputs: int, hidden: int, dtype: str) -> None:
    """Refuse what memory cannot hold, before it is tried."""
    refuse_beyond_memory(np.dtype(dtype).itemsize * samples * (4 * inputs + _LIVE * hidden))
