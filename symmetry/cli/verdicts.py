"""What a person sees of a check: a line for each verdict, and on a terminal what is being done.

Piped, the same command prints the same bytes: no colours, no times. This module is imported when a
command does its work, not before.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from symmetry.checker.verdict import Kind, Verdict
from symmetry.invariants.catalogue import Invariant
from symmetry.report.verdicts import line

_STYLES: dict[Kind, str] = {
    "holds": "green",
    "violated": "bold red",
    "error": "bold red",
    "rounding": "yellow",
    "vacuous": "yellow",
    "expected failure": "cyan",
    "not applicable": "dim",
}


@contextmanager
def display() -> Iterator[Plain]:
    """Choose the display that fits standard output, and end it with the block."""
    if sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
        with _bar() as bar:
            yield Live(bar)
    else:
        yield Plain()


class Plain:
    """Prints lines."""

    def case(self, invariant: Invariant, dtype: str, number: int, cases: int) -> None:
        """Show which case is about to be run; on a terminal only."""

    def verdict(self, verdict: Verdict) -> None:
        """Show a verdict in one line."""
        click.echo(line(verdict))

    def text(self, text: str) -> None:
        """Show a line of text."""
        click.echo(text)


class Live(Plain):
    """Prints lines in colour, above a bar that goes through the cases."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=None)

    def case(self, invariant: Invariant, dtype: str, number: int, cases: int) -> None:  # noqa: D102
        name = f"{invariant.name} {dtype}"
        self._bar.update(self._task, description=name, completed=number, total=cases)

    def verdict(self, verdict: Verdict) -> None:  # noqa: D102
        text = Text(line(verdict))
        text.highlight_words(
            [f" {verdict.kind} "], "red" if verdict.stale else _STYLES[verdict.kind]
        )
        self._print(text)

    def text(self, text: str) -> None:  # noqa: D102
        self._print(Text(text))

    def _print(self, text: Text) -> None:
        self._bar.console.print(text, soft_wrap=True)  # a command stays in one piece


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        console=Console(highlight=False),
        transient=True,
    )
