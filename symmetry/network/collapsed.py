"""The collapsed core: a network of equal hidden units, computed as the one unit that it is.

With u a column of w1, b the bias row of w2 and v its hidden row, the whole network is
``logits = b + hidden * v * sigmoid([1, x] @ u)``: 1 / hidden of the work. Like the full core's, its
bits depend neither on the machine nor on the thread count; the order of its sums stands in
`kernels.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmetry.network import kernels
from symmetry.network.core import Floats, Threads, chunk_bounds, mean_loss


def list_groups(x: NDArray[Any]) -> kernels.Groups:
    """Return the lists of a chunk's groups of samples."""
    ends = kernels.count_by_group(x)
    listed = int(ends[-1])
    groups = kernels.Groups(
        np.zeros((listed, kernels.LANES), x.dtype), np.empty(listed, np.int32), ends
    )
    kernels.list_by_group(x, groups)
    return groups


class CollapsedCore:
    """The collapsed network on one set of samples; parameters as of `symmetry.network.core.Core`.

    Its weights are the triple ``u`` (inputs + 1,), ``b`` (classes,), ``v`` (classes,), all of the
    core's dtype.
    """

    def __init__(
        self,
        x: NDArray[Any],
        labels: NDArray[np.integer[Any]],
        *,
        classes: int,
        hidden: int,
        dtype: str = "float32",
        threads: int | None = None,
    ):
        self.n, self.inputs = x.shape
        self.classes, self.hidden, self.dtype = classes, hidden, dtype
        self.threads = Threads(threads)
        bounds = chunk_bounds(self.n)
        x = np.ascontiguousarray(x, None if x.dtype == np.uint8 else dtype)  # bytes take less room
        self._labels = [labels[a:b].astype(np.int64) for a, b in bounds]
        self._groups = self.threads.map(list_groups, [x[a:b] for a, b in bounds])
        self._totals = tuple(
            np.zeros((len(bounds), rows, kernels.FOLD), dtype)
            for rows in (self.inputs + 1, classes, classes)
        )

    def gradient(
        self, u: Floats, b: Floats, v: Floats
    ) -> tuple[float, tuple[Floats, Floats, Floats]]:
        """Return the mean loss at these weights and its gradients by u, b and one unit's v."""

        def differentiate(labels: NDArray[np.int64], groups: Any, *totals: Floats) -> float:
            loss: float = kernels.differentiate_collapsed(
                labels, groups, u, b, v, self.hidden, *totals
            )
            return loss

        losses = self.threads.map(differentiate, self._labels, self._groups, *self._totals)
        gradients = (np.empty_like(u), np.empty_like(b), np.empty_like(v))
        for parts, mean in zip(self._totals, gradients, strict=True):
            kernels.reduce_lanes(parts, self.n, mean)
        return mean_loss(losses, self.n), gradients

    def evaluate(self, u: Floats, b: Floats, v: Floats) -> tuple[float, NDArray[np.int64]]:
        """Return the mean loss at these weights and the (n,) predicted labels."""
        predictions = [np.empty(len(labels), np.int64) for labels in self._labels]

        def evaluate(labels: NDArray[np.int64], groups: Any, predictions: Any) -> float:
            loss: float = kernels.evaluate_collapsed(
                labels, groups, u, b, v, self.hidden, predictions
            )
            return loss

        losses = self.threads.map(evaluate, self._labels, self._groups, predictions)
        return mean_loss(losses, self.n), np.concatenate(predictions)
