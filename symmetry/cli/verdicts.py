"""What a person sees while targets are checked: a line for each verdict, and what is being done.

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
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar
from rich.text import Text

from symmetry.checker.check import Progress
from symmetry.checker.verdict import Kind, Verdict
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
    """Choose the display that fits standard output and error, and end it with the block."""
    terminals = [name for name in ("stdout", "stderr") if getattr(sys, name).isatty()]
    if not terminals or os.environ.get("TERM") == "dumb":
        yield Plain()
        return
    with _bar(on_stderr="stdout" not in terminals) as bar:
        yield Live(bar) if "stdout" in terminals else Plain(bar)


class Plain(Progress):
    """Prints lines; what is being done goes to standard error."""

    def __init__(self, bar: Bar | None = None) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=None) if bar else None
        self._finished = ""

    def begin(self, heading: tuple[str, ...]) -> None:  # noqa: D102
        for text in (*heading, ""):
            self.text(text)

    def case(self, invariant: str, dtype: str, number: int, cases: int) -> None:  # noqa: D102
        if self._bar and self._task is not None:
            name = f"{invariant} {dtype}"
            self._bar.update(self._task, description=name, completed=number, total=cases)

    def verdict(self, verdict: Verdict) -> None:  # noqa: D102
        self.text(line(verdict))
        if self._bar is None and self._finished != verdict.invariant and not _one_file():
            self._finished = verdict.invariant
            click.echo(f"finished {verdict.invariant}", err=True)

    def text(self, text: str) -> None:
        """Show a line of text."""
        click.echo(text)


class Live(Plain):
    """Prints lines in colour, above a bar that goes through the cases."""

    def verdict(self, verdict: Verdict) -> None:  # noqa: D102
        text = Text(line(verdict))
        text.highlight_words(
            [f" {verdict.kind} "], "red" if verdict.stale else _STYLES[verdict.kind]
        )
        self._print(text)

    def text(self, text: str) -> None:  # noqa: D102
        self._print(Text(text))

    def _print(self, text: Text) -> None:
        assert self._bar is not None
        self._bar.console.print(text, soft_wrap=True)  # a command stays in one piece


def _one_file() -> bool:
    """Return whether standard output and error go to the same place: there one line is enough."""
    try:
        return os.path.sameopenfile(sys.stdout.fileno(), sys.stderr.fileno())
    except (OSError, ValueError):  # not files: somebody captures them
        return True


def _bar(*, on_stderr: bool) -> Bar:
    return Bar(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        console=Console(highlight=False, stderr=on_stderr),
        transient=True,
        redirect_stdout=not on_stderr,
    )
