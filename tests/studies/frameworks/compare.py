"""Train all of them, iteration by iteration in turn, and compare their units after each."""

from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import Any

from symmetry.base.errors import SymmetryError
from symmetry.targets.resolve import BUILTIN
from tests.studies.frameworks.entrant import Entrant, parse_entrants
from tests.studies.frameworks.process import EntrantError, Process
from tests.studies.frameworks.record import Comparison, TrainerPoint, TrainerRun
from tests.studies.frameworks.task import Task

CASE_THREADS = 1  # as in `symmetry check`: small products are quickest so, and always the same


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
    entrants: tuple[Entrant, ...] = (),
    *,
    threads: int | None = None,
    optional: bool = False,
    listener: ComparisonListener | None = None,
) -> Comparison:
    """Train every entrant, or every built-in trainer that works, from zero weights on a task.

    They take turns, one iteration each, and another one begins every time: whatever the machine
    does beside it affects all of them. Weights are fetched and compared while nothing is timed.

    So many ``threads`` are for all that set no number of their own; None leaves it to their
    libraries, and stands for one on a case. An ``optional`` entrant that fails is left out, but an
    error if it is the last one.
    """
    if threads is None and task.case is not None:
        threads = CASE_THREADS
    optional = optional or not entrants
    entrants = entrants or parse_entrants(BUILTIN)
    task.refuse_beyond_memory(len(entrants))
    listener = listener or ComparisonListener()
    listener.begin(task, tuple(entrant.name for entrant in entrants))
    processes: deque[Process] = deque()
    runs: dict[str, TrainerRun] = {}
    left_out: dict[str, str] = {}

    def each(work: Callable[[Process], Any]) -> None:
        """Let each do some work; one that fails is left out, if that is allowed."""
        for process in tuple(processes):
            try:
                work(process)
            except EntrantError as error:
                if not optional:
                    raise
                left_out[error.name] = error.reason
                listener.left_out(error.name, error.reason)
                processes.remove(process)
                process.close()
                if not processes:
                    raise SymmetryError(f"no trainer is left; {error}") from error

    with ExitStack() as stack:
        for entrant in entrants:  # all are started at once; each takes its time to import
            processes.append(stack.enter_context(closing(Process(entrant, threads))))
        each(lambda process: process.begin(task))
        each(Process.receive)
        for iteration in range(1, task.settings.iterations + 1):
            each(lambda process: listener.point(process.name, process.advance()))
            processes.rotate(-1)
            listener.turn(iteration)
        each(lambda process: runs.update({process.name: process.advance()}))
    found = tuple(runs[entrant.name] for entrant in entrants if entrant.name in runs)
    comparison = Comparison(task, threads, found, left_out)
    listener.end(comparison)
    return comparison
