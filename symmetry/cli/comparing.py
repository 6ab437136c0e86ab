"""What a person sees while trainers are compared: a live table on a terminal, else lines.

The plain lines are the same bytes each time; times are shown on terminals only. This module is
imported when a command does its work, not before.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from statistics import median

import click
from rich.live import Live
from rich.table import Table
from rich.text import Text

from symmetry.comparison.compare import ComparisonListener
from symmetry.comparison.record import Comparison, LeftOut, TrainerPoint
from symmetry.comparison.task import TaskFacts
from symmetry.report import comparison_words as words
from symmetry.report.templates import relative

_LINES = 10  # of progress, for each comparison


@contextmanager
def display(*, quiet: bool) -> Iterator[ComparisonListener]:
    """Choose the display that fits standard output, and end it with the block."""
    if quiet:
        yield ComparisonListener()
    elif sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
        with closing(Tables()) as tables:
            yield tables
    else:
        yield Plain()


class Plain(ComparisonListener):
    """Prints a line now and then, one for each split, and one for each trainer at the end."""

    def begin(self, facts: TaskFacts, names: tuple[str, ...]) -> None:  # noqa: D102
        self._total = facts.iterations
        self._split: set[str] = set()
        click.echo(_headline(facts, names))

    def left_out(self, left_out: LeftOut) -> None:  # noqa: D102
        click.echo(f"  left out: {left_out.name}: {left_out.reason}")

    def point(self, name: str, point: TrainerPoint) -> None:  # noqa: D102
        if point.ulps and name not in self._split:
            self._split.add(name)
            click.echo(f"  iteration {point.iteration:,}: units of {name} split")

    def turn(self, iteration: int) -> None:  # noqa: D102
        if iteration % max(self._total // _LINES, 1) == 0:
            click.echo(f"  iteration {iteration:,} of {self._total:,}")

    def end(self, comparison: Comparison) -> None:  # noqa: D102
        for run in comparison.runs:
            click.echo(f"  {words.in_short(run, comparison)}")
        click.echo()


class Tables(ComparisonListener):
    """Keeps one table for each comparison up to date; finished ones stay on the screen."""

    def __init__(self) -> None:
        self._live: Live | None = None

    def begin(self, facts: TaskFacts, names: tuple[str, ...]) -> None:  # noqa: D102
        self._headline, self._total = _headline(facts, names), facts.iterations
        self._points: dict[str, list[TrainerPoint]] = {name: [] for name in names}
        self._reasons: dict[str, str] = {}
        self._live = Live(get_renderable=self._table, refresh_per_second=4)
        self._live.start()

    def left_out(self, left_out: LeftOut) -> None:  # noqa: D102
        self._reasons[left_out.name] = left_out.reason

    def point(self, name: str, point: TrainerPoint) -> None:  # noqa: D102
        self._points[name].append(point)

    def end(self, comparison: Comparison) -> None:  # noqa: ARG002, D102
        self.close()

    def close(self) -> None:
        """Leave the last state of the table on the screen."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _table(self) -> Table:
        table = Table(title=Text(self._headline), title_justify="left", box=None)
        table.add_column("trainer", no_wrap=True)
        for column in ("iteration", "s", "loss", "accuracy %", "units split", "spread"):
            table.add_column(column, justify="right")
        for name in dict.fromkeys((*self._points, *self._reasons)):
            table.add_row(*map(Text, (name, *self._cells(name))))  # brackets are no markup
        return table

    def _cells(self, name: str) -> tuple[str, ...]:
        if name in self._reasons:
            return (f"left out: {self._reasons[name]}",)
        if not self._points[name]:
            return ("starting",)
        points = tuple(self._points[name])
        split = next((point.iteration for point in points if point.ulps), None)
        return (
            f"{points[-1].iteration:,} of {self._total:,}",
            words.seconds(median(point.seconds for point in points[1:] or points)),
            f"{points[-1].loss:.6f}",
            f"{points[-1].accuracy:.2f}",
            "-" if split is None else f"at {split:,}",
            relative(points[-1].spread),
        )


def _headline(facts: TaskFacts, names: tuple[str, ...]) -> str:
    return f"{facts.data}, {words.task(facts)}\n  {', '.join(names)}"
