"""What a person sees while trainers are compared: lines, and on a terminal a bar for each trainer.

The lines are the same bytes each time; times are shown on terminals only. This module is imported
when a command does its work, not before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.progress import Progress, TaskID

from symmetry.cli.progress import bars, numbers, on_terminal
from symmetry.comparison.compare import ComparisonListener
from symmetry.comparison.record import Comparison, TrainerPoint
from symmetry.comparison.task import TaskFacts
from symmetry.report.comparison import in_short, task_in_words

_LINES = 10  # of progress, for each comparison


@contextmanager
def display(*, quiet: bool) -> Iterator[ComparisonListener]:
    """Show what is done, with bars on a terminal, while the block runs."""
    if quiet:
        yield ComparisonListener()
        return
    with bars(disable=not on_terminal()) as shown:
        yield Shown(shown)


class Shown(ComparisonListener):
    """Prints a line now and then, one for each split, and one for each trainer at the end."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def begin(self, facts: TaskFacts, names: tuple[str, ...]) -> None:  # noqa: D102
        self._total = facts.iterations
        self._split: set[str] = set()
        click.echo(f"{facts.data}, {task_in_words(facts)}\n  {', '.join(names)}")
        add = self._bars.add_task
        self._tasks = {name: add(name, total=self._total, numbers="starting") for name in names}

    def left_out(self, name: str, reason: str) -> None:  # noqa: D102
        click.echo(f"  left out: {name}: {reason}")
        self._bars.remove_task(self._tasks.pop(name))

    def point(self, name: str, point: TrainerPoint) -> None:  # noqa: D102
        if point.ulps and name not in self._split:
            self._split.add(name)
            click.echo(f"  iteration {point.iteration:,}: units of {name} split")
        shown = numbers(point, self._total)
        self._bars.update(self._tasks[name], completed=point.iteration, numbers=shown)

    def turn(self, iteration: int) -> None:  # noqa: D102
        if iteration % max(self._total // _LINES, 1) == 0:
            click.echo(f"  iteration {iteration:,} of {self._total:,}")

    def end(self, comparison: Comparison) -> None:  # noqa: D102
        for task in self._tasks.values():
            self._bars.remove_task(task)
        self._tasks = {}
        for run in comparison.runs:
            click.echo(f"  {in_short(run, comparison)}")
        click.echo()
