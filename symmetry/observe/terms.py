"""The terms of a loss, as plain numbers: how much each counts in the gradient."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

from symmetry.observe.source_line import NOWHERE, SourceLine
from symmetry.units.state import Array

# Negative logarithms of probabilities; differences of numbers; products of two numbers that are
# trained, one of which may be the weight of a loss; anything else, such as the clipped ratios of a
# policy.
Kind = Literal["likelihood", "distance", "product", "other"]
_EQUAL = 1e-4  # of the largest weight: rounding in 32 bits explains less
_LOST = 1e-30  # a weight that is no more than this is zero


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The terms of a loss that one operation makes at one line, and their weights in a gradient.

    A mean over n terms gives each of them the weight 1/n; a mask gives some the weight zero.
    """

    operation: str  # that makes them: "LogSoftmax"
    kind: Kind = "other"
    at: SourceLine = NOWHERE  # of that operation; nowhere if no lines were recorded
    mean_at: SourceLine = NOWHERE  # the innermost one that divides by a number
    weighed_at: SourceLine = NOWHERE  # the outermost one that makes the loss of them
    weights: tuple[Array, ...] = field(compare=False)  # one array for each call of the operation

    @cached_property
    def _used(self) -> tuple[Array, Array]:
        """The weights that are not zero, and how often each comes: once, or in a whole array."""
        pairs = [_told_apart(array) for array in self.weights]
        values, times = (np.concatenate(column) for column in zip(*pairs, strict=True))
        used = np.abs(values) > _LOST
        return values[used], times[used]

    @property
    def size(self) -> int:
        """How many terms there are."""
        return sum(array.size for array in self.weights)

    @property
    def count(self) -> int:
        """How many of them count."""
        return int(self._used[1].sum())

    @property
    def total(self) -> float:
        """The sum of their weights, without its sign."""
        values, times = self._used
        return abs(float(values @ times))

    @property
    def weight(self) -> float:
        """The mean weight of those that count, without its sign."""
        return self.total / self.count if self.count else 0.0

    @property
    def least(self) -> float:
        """The smallest weight of those that count."""
        return float(self._used[0].min(initial=np.inf))

    @property
    def most(self) -> float:
        """The largest weight of those that count."""
        return float(self._used[0].max(initial=-np.inf))

    @property
    def are_equal(self) -> bool:
        """Whether all terms that count weigh the same."""
        values, _ = self._used
        return bool(values.size) and np.ptp(values) <= _EQUAL * np.abs(values).max()

    @property
    def are_of_equal_rows(self) -> bool:
        """Whether all rows weigh the same: means of the means of rows."""
        (array, *others) = self.weights
        if others or array.ndim < 2:
            return False
        rows = array.reshape(len(array), -1).sum(1)
        rows = rows[np.abs(rows) > _LOST]
        values, _ = self._used
        alike = values.size > 0 and (np.sign(values) == np.sign(values[0])).all()
        return bool(alike) and np.ptp(rows) <= _EQUAL * np.abs(rows).max()


def _told_apart(array: Array) -> tuple[Array, Array]:
    """Return the numbers of an array and how often each comes; one number may stand for all."""
    if array.size > 1 and not any(array.strides):
        return array.ravel()[:1], np.array([array.size])
    return array.ravel(), np.ones(array.size, np.int_)
