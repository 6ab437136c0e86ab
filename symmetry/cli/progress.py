"""What a person sees while the experiment runs: live on a terminal, else a line for each news.

The plain lines are the same bytes each time; how long things take is shown on terminals only.
This module is imported when a command does its work, not before.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from symmetry.experiment import Listener, Point

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from symmetry.comparison.record import TrainerPoint


@contextmanager
def display(*, quiet: bool) -> Iterator[Listener]:
    """Choose the display that fits standard output, and end it with the block."""
    if quiet:
        yield Listener()
    elif on_terminal():
        with bars() as shown:
            live = Live(shown)
            try:
                yield live
            finally:
                live.end_stage()  # what stays on the screen are the runs
    else:
        yield Plain()


class Plain(Listener):
    """Prints a line for each stage and each iteration."""

    def __init__(self) -> None:
        self._run = ""

    def stage(self, name: str) -> None:  # noqa: D102
        click.echo(name)

    def iteration(self, run: str, point: Point, iterations: int) -> None:  # noqa: D102
        if run != self._run:
            self._run = run
            click.echo(run)
        click.echo(f"  iteration {point.iteration:{len(str(iterations))}}  {_numbers(point)}")


class Live(Listener):
    """Keeps one bar for each run up to date, and a line for what is being done beside them."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._runs: dict[str, TaskID] = {}
        self._stage: TaskID | None = None

    def stage(self, name: str) -> None:  # noqa: D102
        self.end_stage()
        self._stage = self._bars.add_task(name, total=None, numbers="")

    def iteration(self, run: str, point: Point, iterations: int) -> None:  # noqa: D102
        self.end_stage()
        if run not in self._runs:
            self._runs[run] = self._bars.add_task(run, total=iterations, numbers="")
        shown = numbers(point, iterations)
        self._bars.update(self._runs[run], completed=point.iteration, numbers=shown)

    def end_stage(self) -> None:
        """Take away the line that says what is being done."""
        if self._stage is not None:
            self._bars.remove_task(self._stage)
            self._stage = None


def on_terminal() -> bool:
    """Return whether standard output is a terminal on which lines can be drawn anew."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def bars(*, disable: bool = False) -> Progress:
    """Return bars, each with a name, numbers and the time that is left."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[numbers]}"),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
        disable=disable,
    )


def numbers(point: Point | TrainerPoint, iterations: int) -> str:
    """Say how far a run has come."""
    return f"{point.iteration:,} of {iterations:,}  {_numbers(point)}"


def _numbers(point: Point | TrainerPoint) -> str:
    return f"loss {point.loss:.6f}  accuracy {point.accuracy:5.2f} %"
