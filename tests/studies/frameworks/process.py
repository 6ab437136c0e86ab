"""A trainer in a process of its own: both ends of the two pipes through which it is asked.

The environment of the process is set before it starts, so that libraries see it when they are
loaded. It ends when its standard input does, whatever became of who started it.
"""

import os
import pickle
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

import numpy as np

from symmetry.base.errors import SymmetryError, TargetError
from symmetry.base.processes import ending, start, take_pipes
from symmetry.base.raised import in_one_line, place_of, silenced
from symmetry.experiment.data.dataset import Dataset
from symmetry.network.formulas import one_hot_encode
from symmetry.steps.step import TwoLayerRun
from symmetry.steps.target import StepTarget
from symmetry.targets.resolve import resolve
from symmetry.units.compare import Floats
from tests.studies.frameworks import contestants
from tests.studies.frameworks.entrant import Entrant
from tests.studies.frameworks.record import Iteration, recorded
from tests.studies.frameworks.task import Task


class EntrantError(SymmetryError):
    """A trainer cannot be imported, raised, or its process died: one line, with its name."""

    def __init__(self, entrant: Entrant, message: str) -> None:
        """Put the trainer's name in front of a message that may begin with it already."""
        self.name = entrant.name
        self.reason = message.removeprefix(f"{entrant.trainer!r}: ")
        super().__init__(f"trainer {entrant.name!r}: {self.reason}")


class Process:
    """A worker. It is in a session of its own, so that a Ctrl-C comes to us alone."""

    def __init__(self, entrant: Entrant, threads: int | None) -> None:
        self.name, self._entrant = entrant.name, entrant
        self._cores = (entrant.threads or threads) if entrant.trainer == "jax" else None
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115
        environment = entrant.environment(threads)
        self._process = start(__name__, stderr=self._complaints, env=environment)

    def begin(self, task: Task) -> None:
        """Send the task; the first answer is that everything is ready."""
        self._send((self._entrant, task, self._cores))

    def advance(self) -> Any:
        """Ask for what comes next, wait for it, and return it."""
        self._send(None)
        return self.receive()

    def receive(self) -> Any:
        """Wait for an answer and return its value, or raise why the trainer failed."""
        assert self._process.stdout is not None
        try:
            value, error = pickle.load(self._process.stdout)
        except (EOFError, pickle.UnpicklingError) as error:
            raise self._death() from error
        if error is not None:
            raise EntrantError(self._entrant, error)
        return value

    def _send(self, message: Any) -> None:
        assert self._process.stdin is not None
        try:
            pickle.dump(message, self._process.stdin, pickle.HIGHEST_PROTOCOL)
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise self._death() from error

    def close(self) -> None:
        """End the process, in the middle of whatever it is doing."""
        self._process.kill()
        self._complaints.close()
        with suppress(OSError), self._process:
            pass  # closes the pipes, whatever is still unsent, and waits

    def _death(self) -> EntrantError:
        """Say how the process ended, and what it said last."""
        self._process.kill()  # it may have closed its pipes without ending
        status = self._process.wait()
        self._complaints.seek(0)
        lines = self._complaints.read().decode(errors="replace").split("\n")
        last = next((f": {line.strip()[:200]}" for line in reversed(lines) if line.strip()), "")
        return EntrantError(self._entrant, f"its process ended ({ending(status)}){last}")


def main() -> None:
    """Answer every question by what comes next, and None or what went wrong; the task is first."""
    questions, answers = take_pipes()
    with silenced(), suppress(EOFError, BrokenPipeError):  # whoever asked is gone
        work = _work(*pickle.load(questions))
        while True:
            value, error = None, None
            try:
                value = next(work)
            except (SymmetryError, TargetError) as failure:
                error = str(failure)
            except BaseException as failure:
                error = f"{in_one_line(failure)}{place_of(failure)}"
            pickle.dump((value, error), answers, pickle.HIGHEST_PROTOCOL)
            answers.flush()
            pickle.load(questions)


def _work(entrant: Entrant, task: Task, cores: int | None) -> Iterator[Any]:
    """Yield None once the trainer has the data, then each point of its run, and the whole run.

    Weights are compared while nothing is timed.
    """
    if cores is not None and hasattr(os, "sched_setaffinity"):  # JAX has a thread for each
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    if entrant.deterministic:
        import torch

        torch.use_deterministic_algorithms(True)
    data, settings = task.data, task.settings
    shapes = (data.inputs + 1, settings.hidden), (settings.hidden + 1, data.classes)
    w1, w2 = (np.zeros(shape, settings.dtype) for shape in shapes)
    if entrant.step_only:
        trainer = resolve(entrant.trainer)
        if settings.dtype not in trainer.dtypes:
            takes = ", ".join(trainer.dtypes)
            raise SymmetryError(f"it takes {takes} only, not {settings.dtype}")
        training = _steps(trainer, data, w1, w2, settings.lr)
    else:
        training = _iterations(contestants.contestant(entrant.trainer)(data, w1, w2, settings.lr))
    yield None
    yield from recorded(entrant, task, islice(training, settings.iterations))


def _iterations(training: Iterator[contestants.Iteration]) -> Iterator[Iteration]:
    """Train one of the project's trainers, timing all of it, loss and accuracy included."""
    while True:
        start = time.perf_counter()
        loss, correct, w1, w2 = next(training)
        yield time.perf_counter() - start, loss, correct, np.array(w1), np.array(w2)


def _steps(
    trainer: StepTarget, data: Dataset, w1: Floats, w2: Floats, lr: float
) -> Iterator[Iteration]:
    """Take a user's steps, timing them alone; the core computes loss and accuracy."""
    from symmetry.network.core import Core

    seconds = 0.0
    step = trainer.start().step

    def timed(*arguments: Any) -> Any:
        """Take a step between two looks at the clock; ``TwoLayerRun`` copies and checks outside."""
        nonlocal seconds
        start = time.perf_counter()
        result = step(*arguments)
        seconds = time.perf_counter() - start
        return result

    dtype, (rows, classes) = w2.dtype.name, w2.shape
    sets = (data.train_x, data.train_labels), (data.test_x, data.test_labels)
    core, test = (Core(*each, classes=classes, hidden=rows - 1, dtype=dtype) for each in sets)
    x, y = data.train_x.astype(dtype), one_hot_encode(data.train_labels, classes, dtype)
    while True:
        result = TwoLayerRun(timed)(x, y, w1, w2, lr)
        w1, w2 = result.w1, result.w2
        loss, _ = core.evaluate(w1, w2)
        _, predictions = test.evaluate(w1, w2)
        yield seconds, loss, int(np.count_nonzero(predictions == data.test_labels)), w1, w2
