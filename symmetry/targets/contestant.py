"""A whole training, for the comparison of frameworks: the same protocol, timed the same way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

from numpy.typing import NDArray

from symmetry.units.compare import Floats


class Given(NamedTuple):
    """What is trained on and tested with: inputs (n, i), bytes or floats, and labels (n,).

    The weights to start from say how many hidden units and classes there are, and the dtype.
    """

    x: NDArray[Any]
    labels: NDArray[Any]
    test_x: NDArray[Any]
    test_labels: NDArray[Any]
    w1: Floats
    w2: Floats
    lr: float


class Contestant(ABC):
    """Full-batch gradient descent, as a competent user of one framework would write it.

    The constructor does everything that need not be repeated: conversions to the framework's own
    arrays, and to the dtype of the weights.

    One iteration is one update, one pass over the training set that gives both the loss after the
    update and the gradient of the next one, and one forward pass over the test set.
    """

    _differentiated = False

    @abstractmethod
    def __init__(self, given: Given) -> None: ...

    def advance(self) -> tuple[float, int]:
        """Train for one iteration, to its very end even where the framework is asynchronous.

        The first call also makes the gradient of the start, and may compile.

        Returns
        -------
        loss
            Mean loss on the training set after the update.
        correct
            Number of test samples that are classified as labelled after the update.
        """
        if not self._differentiated:
            self._differentiate()
            self._differentiated = True
        self._update()
        return self._differentiate(), self._count_correct()

    @abstractmethod
    def weights(self) -> tuple[Floats, Floats]:
        """Return copies of w1 and w2 as NumPy arrays."""

    @abstractmethod
    def _differentiate(self) -> float:
        """Make the gradient at the current weights, and return the loss there."""

    @abstractmethod
    def _update(self) -> None:
        """Take the step along the gradient made last."""

    @abstractmethod
    def _count_correct(self) -> int:
        """Classify the test set with the current weights."""
