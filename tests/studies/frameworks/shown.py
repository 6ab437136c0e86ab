"""What a person sees while trainers are compared: lines, and on a terminal a bar for each trainer.

This module is imported when a command does its work, not before.
"""

from symmetry.cli.screen import current, numbers, say
from tests.studies.frameworks.compare import ComparisonListener
from tests.studies.frameworks.record import Comparison, TrainerPoint
from tests.studies.frameworks.report import in_short, task_in_words
from tests.studies.frameworks.task import Task

_LINES = 10  # of progress, for each comparison


class Shown(ComparisonListener):
    """Prints a line now and then, one for each split, and one for each trainer at the end."""

    def begin(self, task: Task, names: tuple[str, ...]) -> None:
        self._total, self._names = task.settings.iterations, names
        self._split: set[str] = set()
        say(f"{task.data.name}, {task_in_words(task)}\n  {', '.join(names)}")
        for name in names:
            current().doing(name, 0, self._total, "starting", bar=name)

    def left_out(self, name: str, reason: str) -> None:
        say(f"  left out: {name}: {reason}")
        current().done(name)

    def point(self, name: str, point: TrainerPoint) -> None:
        if point.ulps and name not in self._split:
            self._split.add(name)
            say(f"  iteration {point.iteration:,}: units of {name} split")
        current().doing(name, point.iteration, self._total, numbers(point), bar=name)

    def turn(self, iteration: int) -> None:
        if iteration % max(self._total // _LINES, 1) == 0:
            say(f"  iteration {iteration:,} of {self._total:,}")

    def end(self, comparison: Comparison) -> None:
        for name in self._names:
            current().done(name)
        for run in comparison.runs:
            say(f"  {in_short(run, comparison)}")
        say("")
