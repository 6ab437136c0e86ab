"""The process in which one trainer trains: it answers what it is asked through two pipes.

Its environment was set before it was started, so that libraries see it when they are loaded. It
ends when its standard input does, whatever became of who started it.
"""

from __future__ import annotations

import os
import pickle
import time
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from symmetry.comparison.libraries import Libraries, loaded_libraries
from symmetry.errors import SymmetryError
from symmetry.network.formulas import one_hot_encode
from symmetry.processes import take_pipes
from symmetry.targets import resolve
from symmetry.targets.contestant import Contestant
from symmetry.targets.trainer import Run, Trainer, TrainerError, in_one_line, place_of, quiet
from symmetry.units.compare import Floats

READY, ADVANCE, WEIGHTS, LIBRARIES = "ready", "advance", "weights", "libraries"


@dataclass(frozen=True, eq=False)
class Order:
    """The first message: who is to train, on what, from where.

    Attributes
    ----------
    trainer
        Its name, without settings.
    deterministic, cores
        Whether PyTorch is made deterministic; on how many cores the process may run, or None.
    x, labels, test_x, test_labels
        As for a ``Contestant``.
    w1_shape, w2_shape, dtype, lr
        Of the weights, which start at zero; and the learning rate.
    """

    trainer: str
    deterministic: bool
    cores: int | None
    x: NDArray[Any]
    labels: NDArray[Any]
    test_x: NDArray[Any]
    test_labels: NDArray[Any]
    w1_shape: tuple[int, int]
    w2_shape: tuple[int, int]
    dtype: str
    lr: float


@dataclass(frozen=True)
class Answer:
    """A value, or one line on what went wrong."""

    value: Any
    error: str | None = None


class Trains(Protocol):
    """Trains step by step, and times it."""

    def advance(self) -> tuple[float, float, int]:
        """Return the seconds that an iteration took, the loss after it, and the correct ones."""
        ...

    def weights(self) -> tuple[Floats, Floats]:
        """Return w1 and w2."""
        ...


class Whole:
    """One of the project's trainers: the whole iteration is timed, loss and accuracy included."""

    def __init__(self, contestant: Contestant) -> None:
        self._contestant = contestant
        self.weights = contestant.weights

    def advance(self) -> tuple[float, float, int]:  # noqa: D102
        start = time.perf_counter()
        loss, correct = self._contestant.advance()
        return time.perf_counter() - start, loss, correct


class Stepwise:
    """A user's step: it alone is timed; loss and accuracy are computed by the project's core."""

    def __init__(self, trainer: Trainer, order: Order, w1: Floats, w2: Floats) -> None:
        from symmetry.network.core import Core

        classes = w2.shape[1]
        self._x = order.x.astype(order.dtype)
        self._y = one_hot_encode(order.labels, classes, order.dtype)
        self._w1, self._w2, self._lr = w1, w2, order.lr
        self._core, self._test = (
            Core(x, labels, classes=classes, hidden=w1.shape[1], dtype=order.dtype)
            for x, labels in ((order.x, order.labels), (order.test_x, order.test_labels))
        )
        self._test_labels = order.test_labels
        self._step = trainer.start().step
        self._seconds = 0.0

    def advance(self) -> tuple[float, float, int]:  # noqa: D102
        result = Run(self._timed)(self._x, self._y, self._w1, self._w2, self._lr)
        self._w1, self._w2 = result.w1, result.w2
        loss, _ = self._core.evaluate(self._w1, self._w2)
        _, predictions = self._test.evaluate(self._w1, self._w2)
        return self._seconds, loss, int(np.count_nonzero(predictions == self._test_labels))

    def weights(self) -> tuple[Floats, Floats]:  # noqa: D102
        return self._w1, self._w2

    def _timed(self, *arguments: Any) -> Any:
        """Take the step between two looks at the clock: ``Run`` copies before and checks after."""
        start = time.perf_counter()
        result = self._step(*arguments)
        self._seconds = time.perf_counter() - start
        return result


def main() -> None:
    """Serve until there are no more questions."""
    questions, answers = take_pipes()
    with quiet():
        serve(questions, answers)


def serve(questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer an order, then questions, one after the other."""
    trains: Trains | None = None
    while True:
        try:
            question = pickle.load(questions)
        except EOFError:
            return
        try:
            if isinstance(question, Order):
                trains = start_training(question)
                answer = Answer(READY)
            else:
                assert trains is not None  # an order comes first
                answer = Answer(_answer(question, trains))
        except (SymmetryError, TrainerError) as error:
            answer = Answer(None, str(error))
        except BaseException as error:
            answer = Answer(None, f"{in_one_line(error)}{place_of(error)}")
        try:
            pickle.dump(answer, answers)
            answers.flush()
        except BrokenPipeError:
            return


def start_training(order: Order) -> Trains:
    """Import the trainer and hand it the data; nothing of this is timed."""
    if order.cores is not None:
        _limit_cores(order.cores)
    if order.deterministic:
        _make_deterministic()
    w1, w2 = (np.zeros(shape, order.dtype) for shape in (order.w1_shape, order.w2_shape))
    if order.trainer in resolve.BUILTIN:
        make = resolve.contestant(order.trainer)
        data = (order.x, order.labels, order.test_x, order.test_labels)
        return Whole(make(*data, w1, w2, order.lr))
    trainer = resolve.resolve_step(order.trainer)
    if order.dtype not in trainer.dtypes:
        raise SymmetryError(f"it takes {', '.join(trainer.dtypes)} only, not {order.dtype}")
    return Stepwise(trainer, order, w1, w2)


def _answer(question: str, trains: Trains) -> Libraries | tuple[Any, ...]:
    if question == ADVANCE:
        return trains.advance()
    return trains.weights() if question == WEIGHTS else loaded_libraries()


def _limit_cores(cores: int) -> None:
    """Let this process run on some of its cores only: JAX counts those to choose its threads."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])


def _make_deterministic() -> None:
    try:
        import torch
    except ModuleNotFoundError as error:
        raise SymmetryError(f"deterministic needs torch, which cannot be imported: {error}") from (
            error
        )
    torch.use_deterministic_algorithms(True)
