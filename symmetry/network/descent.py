"""Full-batch gradient descent, one iteration at a time, on the full or the collapsed core."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symmetry.network.core import AnyCore, Weights, update


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
