"""Train all of them, iteration by iteration in turn, and compare their units after each."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TypeVar

from symmetry.comparison.process import Process, SubjectError
from symmetry.comparison.record import Comparison, LeftOut, TrainerPoint, TrainerRun
from symmetry.comparison.recorder import Recorder
from symmetry.comparison.subject import Subject
from symmetry.comparison.task import Task, TaskFacts
from symmetry.comparison.worker import ADVANCE, LIBRARIES
from symmetry.errors import SymmetryError

Result = TypeVar("Result")


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
    with ExitStack() as stack:
        field = _Field(optional, listener)
        for subject in subjects:  # all are started at once; each takes its time to import
            process = stack.enter_context(closing(Process(subject, threads)))
            field.runners.append(_Runner(process, Recorder(subject, task)))
        runners = tuple(field.runners)
        field.each(lambda runner: runner.process.begin(task))
        field.each(lambda runner: runner.process.receive())
        for iteration in range(1, task.facts.iterations + 1):
            field.each(lambda runner: runner.advance(listener))
            field.runners.rotate(-1)
            listener.turn(iteration)
        field.runners = deque(runner for runner in runners if runner in field.runners)
        runs = tuple(field.each(_Runner.finish))
    comparison = Comparison(task.facts, threads, runs, tuple(field.left_out))
    listener.end(comparison)
    return comparison


@dataclass(frozen=True, eq=False)
class _Runner:
    """A trainer: its process, and what is recorded of it."""

    process: Process
    recorder: Recorder

    def advance(self, listener: ComparisonListener) -> None:
        """Train for one iteration."""
        point = self.recorder.see(*self.process.ask(ADVANCE))
        listener.point(self.recorder.subject.name, point)

    def finish(self) -> TrainerRun:
        """Return the record."""
        return self.recorder.run(self.process.ask(LIBRARIES))


class _Field:
    """The trainers that are still compared, in the order in which they take turns."""

    def __init__(self, optional: bool, listener: ComparisonListener) -> None:
        self._optional, self._listener = optional, listener
        self.runners: deque[_Runner] = deque()
        self.left_out: list[LeftOut] = []

    def each(self, work: Callable[[_Runner], Result]) -> list[Result]:
        """Let each do some work; one that fails is left out, if that is allowed."""
        results = []
        for runner in tuple(self.runners):
            try:
                results.append(work(runner))
            except SubjectError as error:
                if not self._optional:
                    raise
                self._leave_out(runner, error)
        return results

    def _leave_out(self, runner: _Runner, error: SubjectError) -> None:
        name = runner.recorder.subject.name
        reason = str(error).removeprefix(f"trainer {name!r}: ")
        self.left_out.append(LeftOut(name, reason))
        self._listener.left_out(self.left_out[-1])
        self.runners.remove(runner)
        runner.process.close()
        if not self.runners:
            raise SymmetryError(f"no trainer is left; {error}") from error
