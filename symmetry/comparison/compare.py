"""Train all of them, iteration by iteration in turn, and compare their units after each."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

from symmetry.comparison.process import Process, SubjectError
from symmetry.comparison.record import Comparison, LeftOut, TrainerPoint, TrainerRun
from symmetry.comparison.recorder import Recorder
from symmetry.comparison.subject import Subject
from symmetry.comparison.task import Task, TaskFacts
from symmetry.comparison.worker import ADVANCE, LIBRARIES, WEIGHTS
from symmetry.errors import SymmetryError
from symmetry.targets.resolve import BUILTIN


class ComparisonListener:
    """Is told how the work goes on; this one keeps it to itself. What it raises ends the work."""

    def begin(self, facts: TaskFacts, names: tuple[str, ...]) -> None:
        """Learn that the processes of these trainers are being started."""

    def left_out(self, left_out: LeftOut) -> None:
        """Learn that a trainer does not take part any longer."""

    def point(self, name: str, point: TrainerPoint) -> None:
        """Learn that a trainer has finished an iteration."""

    def turn(self, iteration: int) -> None:
        """Learn that all trainers have finished an iteration."""

    def end(self, comparison: Comparison) -> None:
        """Learn what came of it."""


def compare(
    task: Task,
    subjects: tuple[Subject, ...],
    *,
    threads: int | None = None,
    optional: bool = False,
    listener: ComparisonListener | None = None,
) -> Comparison:
    """Train every subject from zero weights on the same task.

    They take turns, one iteration each, and another one begins every time: whatever the machine
    does beside it affects all of them. Weights are fetched and compared while nothing is timed.

    Parameters
    ----------
    threads
        For all subjects that set no number of their own; None leaves it to their libraries.
    optional
        Leave out a subject that fails, instead of failing with it.

    Raises
    ------
    SymmetryError
        If a subject fails, or none is left; or if all of them cannot fit into memory.
    """
    task.refuse_beyond_memory(len(subjects))
    listener = listener or ComparisonListener()
    listener.begin(task.facts, tuple(subject.name for subject in subjects))
    with _Field(task, subjects, threads, optional, listener) as field:
        for iteration in range(1, task.facts.iterations + 1):
            field.advance()
            listener.turn(iteration)
        runs = tuple(field.runs())
        comparison = Comparison(task.facts, threads, runs, tuple(field.left_out))
    listener.end(comparison)
    return comparison


class _Field:
    """All trainers that are compared, each with its process and its recorder."""

    def __init__(
        self,
        task: Task,
        subjects: tuple[Subject, ...],
        threads: int | None,
        optional: bool,
        listener: ComparisonListener,
    ) -> None:
        self._task, self._subjects, self._threads = task, subjects, threads
        self._optional, self._listener = optional, listener
        self._processes: dict[str, Process] = {}
        self._followers = {s.name: Recorder(s, task) for s in subjects}
        self._order = deque(subject.name for subject in subjects)
        self.left_out: list[LeftOut] = []

    def __enter__(self) -> _Field:
        """Start all processes at once; each takes its time to import and convert."""
        with ExitStack() as stack:
            for subject in self._subjects:
                process = Process(subject, self._threads)
                stack.callback(process.close)
                self._processes[subject.name] = process
            for name in self._remaining():
                with self._failing(name):
                    self._processes[name].order(self._task)
            for name in self._remaining():
                with self._failing(name):
                    self._processes[name].receive()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def advance(self) -> None:
        """Let each train for one iteration."""
        for name in self._remaining():
            with self._failing(name):
                seconds, loss, correct = self._processes[name].ask(ADVANCE)
                w1, w2 = self._processes[name].ask(WEIGHTS)
                point = self._followers[name].see(seconds, loss, correct, w1, w2)
                self._listener.point(name, point)
        self._order.rotate(-1)

    def runs(self) -> Iterator[TrainerRun]:
        """Return the records, in the order in which the subjects were named."""
        for subject in self._subjects:
            if subject.name in self._order:
                with self._failing(subject.name):
                    libraries = self._processes[subject.name].ask(LIBRARIES)
                    step_only = subject.trainer not in BUILTIN
                    yield self._followers[subject.name].run(libraries, step_only=step_only)

    def _remaining(self) -> Iterable[str]:
        return tuple(self._order)

    @contextmanager
    def _failing(self, name: str) -> Iterator[None]:
        """Leave out the trainer if it fails here and that is allowed."""
        try:
            yield
        except SubjectError as error:
            if not self._optional:
                raise
            reason = str(error).removeprefix(f"trainer {name!r}: ")
            self.left_out.append(LeftOut(name, reason))
            self._listener.left_out(self.left_out[-1])
            self._order.remove(name)
            self._processes[name].close()
            if not self._order:
                raise SymmetryError(f"no trainer is left; {error}") from error
