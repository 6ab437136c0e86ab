"""What a person sees while trainers are compared: a live table on a terminal, else lines.

The plain lines are the same bytes each time; times are shown on terminals only. This module is
imported when a command does its work, not before.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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
        tables = Tables()
        try:
            yield tables
        finally:
            tables.close()
    else:
        yield Plain()


class Plain(ComparisonListener):
    """Prints a line now and then, one for each split, and one for each trainer at the end."""

    def begin(self, facts: TaskFacts, names: tuple[str, ...]) -> None:  # noqa: D102
        self._total = facts.iterations
        self._split: set[str] = set()
        for line in _headline(facts, names):
            click.echo(line)

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
        self._headline = "\n".join(_headline(facts, names))
        self._total = facts.iterations
        self._histories: dict[str, list[TrainerPoint]] = {name: [] for name in names}
        self._reasons: dict[str, str] = {}
        self._live = Live(get_renderable=self._table, refresh_per_second=4)
        self._live.start()

    def left_out(self, left_out: LeftOut) -> None:  # noqa: D102
        self._reasons[left_out.name] = left_out.reason
        self._histories.setdefault(left_out.name, [])

    def point(self, name: str, point: TrainerPoint) -> None:  # noqa: D102
        self._histories[name].append(point)

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
        for name, history in list(self._histories.items()):
            cells = self._cells(history) if history else ("starting",)
            if name in self._reasons:
                cells = (f"left out: {self._reasons[name]}",)
            table.add_row(*map(Text, (name, *cells)))  # brackets in a name are no markup
        return table

    def _cells(self, history: list[TrainerPoint]) -> tuple[str, ...]:
        last = history[-1]
        times = [point.seconds for point in (history[1:] or history)]
        split = next((point.iteration for point in history if point.ulps), None)
        return (
            f"{last.iteration:,} of {self._total:,}",
            words.seconds(median(times)),
            f"{last.loss:.6f}",
            f"{last.accuracy:.2f}",
            "-" if split is None else f"at {split:,}",
            relative(last.spread),
        )


def _headline(facts: TaskFacts, names: tuple[str, ...]) -> tuple[str, str]:
    return f"{facts.data}, {words.task(facts)}", f"  {', '.join(names)}"
