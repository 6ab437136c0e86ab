"""Train all of them, iteration by iteration in turn, and compare their units after each."""

from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import Any

from symmetry.comparison.process import Process, SubjectError
from symmetry.comparison.record import Comparison, Recorder, TrainerPoint, TrainerRun
from symmetry.comparison.subject import Subject
from symmetry.errors import SymmetryError
from symmetry.task import Task

_Runner = tuple[Process, Recorder]


class ComparisonListener:
    """Is told how the work goes on; this one keeps it to itself. What it raises ends the work."""

    def begin(self, task: Task, names: tuple[str, ...]) -> None:
        """Learn that the processes of these trainers are being started."""

    def left_out(self, name: str, reason: str) -> None:
        """Learn that a trainer does not take part any longer, and why."""

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

    So many ``threads`` are for all that set no number of their own; None leaves it to their
    libraries. An ``optional`` subject that fails is left out, but an error if it is the last one.
    """
    task.refuse_beyond_memory(len(subjects))
    listener = listener or ComparisonListener()
    listener.begin(task, tuple(subject.name for subject in subjects))
    runners: deque[_Runner] = deque()
    runs: dict[Subject, TrainerRun] = {}
    left_out: dict[str, str] = {}

    def each(work: Callable[[Process, Recorder], Any]) -> None:
        """Let each do some work; one that fails is left out, if that is allowed."""
        for runner in tuple(runners):
            try:
                work(*runner)
            except SubjectError as error:
                if not optional:
                    raise
                left_out[error.name] = error.reason
                listener.left_out(error.name, error.reason)
                runners.remove(runner)
                runner[0].close()
                if not runners:
                    raise SymmetryError(f"no trainer is left; {error}") from error

    def advance(process: Process, recorder: Recorder) -> None:
        point = recorder.see(*process.advance())
        listener.point(recorder.subject.name, point)

    def finish(process: Process, recorder: Recorder) -> None:
        runs[recorder.subject] = recorder.run(process.advance())

    with ExitStack() as stack:
        for subject in subjects:  # all are started at once; each takes its time to import
            process = stack.enter_context(closing(Process(subject, threads)))
            runners.append((process, Recorder(subject, task)))
        each(lambda process, _: process.begin(task))
        each(lambda process, _: process.receive())
        for iteration in range(1, task.settings.iterations + 1):
            each(advance)
            runners.rotate(-1)
            listener.turn(iteration)
        each(finish)
    found = tuple(runs[subject] for subject in subjects if subject in runs)
    comparison = Comparison(task, threads, found, left_out)
    listener.end(comparison)
    return comparison
