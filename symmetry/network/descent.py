"""Full-batch gradient descent, one iteration at a time, on the full or the collapsed core.

The collapsed core computes a network of equal hidden units as the one unit that it is.

With u a column of w1, b the bias row of w2 and v its hidden row, the whole network is
``logits = b + hidden * v * sigmoid([1, x] @ u)``: 1 / hidden of the work. Like the full core's, its
bits depend neither on the machine nor on the thread count; the order of its sums stands in
`kernels.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from symmetry.network import kernels
from symmetry.network.core import AnyCore, Floats, Weights, aligned_zeros, chunk_bounds, update


class Chunk(NamedTuple):
    """A range of samples, and room for its gradients by u, b and v, lane by lane."""

    labels: NDArray[np.int64]
    groups: kernels.Groups
    sums: kernels.CollapsedWeights


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


def fold_up(parts: Floats) -> Floats:
    """Return the sum over lanes, by halves, and over chunks: (chunks, rows, `kernels.FOLD`)."""
    while parts.shape[2] > 1:
        half = parts.shape[2] // 2
        parts = parts[:, :, :half] + parts[:, :, half:]
    total: Floats = np.zeros_like(parts[0, :, 0])
    for part in parts[:, :, 0]:
        total += part
    return total


class CollapsedCore(AnyCore):
    """The collapsed network: its weights are u (inputs + 1,), b (classes,) and v (classes,).

    The gradient by v belongs to one unit.
    """

    def _hold(self, x: NDArray[Any], labels: NDArray[np.int64]) -> None:
        x = np.ascontiguousarray(x, None if x.dtype == np.uint8 else self.dtype)  # bytes are less
        bounds = chunk_bounds(self.n)
        self.shapes = (self.inputs + 1,), (self.classes,), (self.classes,)
        rooms = [(len(bounds), *shape, kernels.FOLD) for shape in self.shapes]
        self._by_lane = [np.zeros(room, self.dtype) for room in rooms]
        groups = self.threads.map(list_groups, [x[a:b] for a, b in bounds])
        sums = map(kernels.CollapsedWeights, *self._by_lane)
        self.chunks = [*map(Chunk, (labels[a:b] for a, b in bounds), groups, sums)]

    def _lay_out(self, *weights: Floats) -> kernels.CollapsedWeights:
        return kernels.CollapsedWeights(*weights)

    def _visit(self, chunk: Chunk, weights: Any, predictions: Any, gradients: Any = None) -> float:
        if gradients is None:
            gradients = kernels.CollapsedWeights(*np.empty((3, 0, 0), self.dtype))
        for part in gradients:
            part[:] = 0
        given = chunk.labels, chunk.groups, weights, self.hidden
        loss: float = kernels.visit_collapsed(*given, predictions, gradients, room_for(weights))
        return loss

    def _sums(self, weights: kernels.CollapsedWeights) -> tuple[list[float], Weights]:
        def differentiate(chunk: Chunk) -> float:
            return self._visit(chunk, weights, np.empty(0, np.int64), chunk.sums)

        losses = self.threads.map(differentiate, self.chunks)
        return losses, tuple(map(fold_up, self._by_lane))


@dataclass(frozen=True)
class Iteration:
    """The network after one update."""

    iteration: int  # counted from 1
    weights: Weights  # ``(w1, w2)``, or ``(u, b, v)`` of a collapsed network; fresh arrays
    loss: float  # mean loss on the training set after the update
    predictions: NDArray[np.int64]  # predicted labels of the test set after the update, shape (n,)


def train(
    core: AnyCore, test: AnyCore, weights: Weights, lr: float, iterations: int
) -> Iterator[Iteration]:
    """Yield the network after each of ``iterations`` full-batch steps.

    One pass over the training set gives both the loss after a step and the gradient of the next.
    """
    _, gradients = core.gradient(*weights)
    for iteration in range(1, iterations + 1):
        weights = update(weights, gradients, lr)
        if iteration < iterations:
            loss, gradients = core.gradient(*weights)
        else:
            loss, _ = core.evaluate(*weights)
        yield Iteration(iteration, weights, loss, test.evaluate(*weights)[1])
