"""Full-batch gradient descent, one iteration at a time, on the full or the collapsed core."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Weights = tuple[NDArray[np.floating[Any]], ...]


class AnyCore(Protocol):
    """What both cores offer: loss and gradients, loss and predictions, at given weights."""

    def gradient(self, *weights: NDArray[np.floating[Any]]) -> tuple[float, Weights]:
        """Return the loss and one gradient for each weight array."""
        ...

    def evaluate(self, *weights: NDArray[np.floating[Any]]) -> tuple[float, NDArray[np.int64]]:
        """Return the loss and the predicted labels."""
        ...


@dataclass(frozen=True)
class Iteration:
    """The network after one update.

    Attributes
    ----------
    iteration
        Counted from 1.
    weights
        ``(w1, w2)``, or ``(u, b, v)`` of a collapsed network; fresh arrays.
    loss
        Mean loss on the training set after the update.
    predictions
        Predicted labels of the test set after the update, shape (n,).
    """

    iteration: int
    weights: Weights
    loss: float
    predictions: NDArray[np.int64]


def update(weights: Weights, gradients: Weights, lr: float) -> Weights:
    """Return ``w - lr * g`` for each pair, every operation rounded to the weights' dtype."""
    return tuple(w - w.dtype.type(lr) * g for w, g in zip(weights, gradients, strict=True))


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
