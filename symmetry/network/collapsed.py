"""The collapsed core: a network of equal hidden units, computed as the one unit that it is.

With u a column of w1, b the bias row of w2 and v its hidden row, the whole network is
``logits = b + hidden * v * sigmoid([1, x] @ u)``: 1 / hidden of the work. Like the full core's, its
bits depend neither on the machine nor on the thread count; the order of its sums stands in
`kernels.py`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmetry.network import kernels
from symmetry.network.core import (
    Floats,
    Threads,
    aligned_zeros,
    chunk_bounds,
    classes_of,
    mean_loss,
    refuse_other_shapes,
)


def list_groups(x: NDArray[Any]) -> kernels.Groups:
    """Return the lists of a chunk's groups of samples."""
    samples = [x[first : first + kernels.LANES] for first in range(0, len(x), kernels.LANES)]
    inputs = [np.flatnonzero(group.any(axis=0)) for group in samples]
    ends = np.cumsum([0, *map(len, inputs)])
    values = np.zeros((ends[-1], kernels.LANES), x.dtype)
    for group, listed, start in zip(samples, inputs, ends[:-1], strict=True):
        values[start : start + len(listed), : len(group)] = group[:, listed].T
    return kernels.Groups(values, np.concatenate(inputs).astype(np.int32), ends)


def room_for(weights: kernels.CollapsedWeights) -> kernels.CollapsedRoom:
    """Return room for a block."""
    u, b, _ = weights
    rows = aligned_zeros((6 + len(b), kernels.BLOCK), u.dtype)
    ones, hidden, slope = rows[:3]
    ones[:] = 1
    return kernels.CollapsedRoom(ones, hidden, slope, rows[6:], rows[3:6], np.empty_like(u))


def fold_up(parts: Floats, n: int) -> Floats:
    """Return the sum over lanes, by halves, and over chunks, divided by n.

    `parts` is (chunks, rows, `kernels.FOLD`).
    """
    while parts.shape[2] > 1:
        half = parts.shape[2] // 2
        parts = parts[:, :, :half] + parts[:, :, half:]
    total: Floats = np.zeros_like(parts[0, :, 0])
    for part in parts[:, :, 0]:
        total += part
    return total / total.dtype.type(n)


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
        truth = classes_of(labels, classes)
        self._labels = [truth[a:b] for a, b in bounds]
        self._groups = self.threads.map(list_groups, [x[a:b] for a, b in bounds])
        self._totals = kernels.CollapsedWeights(
            *(
                np.zeros((len(bounds), rows, kernels.FOLD), dtype)
                for rows in (self.inputs + 1, classes, classes)
            )
        )

    def _weights(self, *weights: Floats) -> kernels.CollapsedWeights:
        refuse_other_shapes(weights, (self.inputs + 1,), (self.classes,), (self.classes,))
        return kernels.CollapsedWeights(*weights)

    def gradient(
        self, u: Floats, b: Floats, v: Floats
    ) -> tuple[float, tuple[Floats, Floats, Floats]]:
        """Return the mean loss at these weights and its gradients by u, b and one unit's v."""
        weights = self._weights(u, b, v)

        def differentiate(labels: NDArray[np.int64], groups: kernels.Groups, *to: Floats) -> float:
            for part in to:
                part[:] = 0
            loss: float = kernels.visit_collapsed(
                *(labels, groups, weights, self.hidden),
                *(np.empty(0, np.int64), kernels.CollapsedWeights(*to), room_for(weights)),
            )
            return loss

        losses = self.threads.map(differentiate, self._labels, self._groups, *self._totals)
        g_u, g_b, g_v = (fold_up(parts, self.n) for parts in self._totals)
        return mean_loss(losses, self.n), (g_u, g_b, g_v)

    def evaluate(self, u: Floats, b: Floats, v: Floats) -> tuple[float, NDArray[np.int64]]:
        """Return the mean loss at these weights and the (n,) predicted labels."""
        predictions = [np.empty(len(labels), np.int64) for labels in self._labels]

        weights = self._weights(u, b, v)
        unwanted = kernels.CollapsedWeights(*np.empty((3, 0, 0), self.dtype))

        def evaluate(labels: NDArray[np.int64], groups: kernels.Groups, to: Any) -> float:
            loss: float = kernels.visit_collapsed(
                labels, groups, weights, self.hidden, to, unwanted, room_for(weights)
            )
            return loss

        losses = self.threads.map(evaluate, self._labels, self._groups, predictions)
        return mean_loss(losses, self.n), np.concatenate(predictions)
