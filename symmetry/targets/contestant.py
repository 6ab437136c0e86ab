"""A whole training, for the comparison of frameworks: the same protocol, timed the same way."""

from collections.abc import Callable, Iterator
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


class Iteration(NamedTuple):
    """What an iteration came to, at its very end even where the framework is asynchronous."""

    loss: float  # mean loss on the training set after the update
    correct: int  # test samples that are classified as labelled after the update
    w1: Any  # as the framework has it: the next iteration may write into it
    w2: Any


# Full-batch gradient descent, as a competent user of one framework would write it. Before the first
# iteration it does everything that need not be repeated: conversions to the framework's own arrays,
# and to the dtype of the weights. One iteration is one update, one pass over the training set that
# serves both the loss after the update and the next gradient, and one forward pass over the test
# set. The first one may compile.
Contestant = Callable[[Given], Iterator[Iteration]]
