"""Where a command shows what it finds: a terminal, a pipe, or the process that has started it.

Nothing heavy is imported here. Piped, the same command prints the same bytes: no colours, no times.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from symmetry.base import ranks
from symmetry.checker import progress

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from symmetry.checker.verdict import Verdict
    from symmetry.experiment.run import Point
    from symmetry.law.case import Case

_STYLES: dict[str, dict[str, Any]] = {
    "holds": {"fg": "green"},
    "violated": {"fg": "red", "bold": True},
    "error": {"fg": "red", "bold": True},
    "not finished": {"fg": "yellow"},
    "not reached": {"fg": "yellow"},
    "rounding": {"fg": "yellow"},
    "vacuous": {"fg": "yellow"},
    "expected failure": {"fg": "cyan"},
    "not applicable": {"dim": True},
}


class Screen(progress.Progress):
    """Prints plain lines: the results."""

    live = False  # whether anybody looks at what is being done
    listing = False  # whether each verdict is printed as it comes

    def text(self, text: str, err: bool = False) -> None:
        """Show a line, on a terminal in the style of its escape sequences."""
        click.echo(click.unstyle(text), err=err)

    def doing(self, what: str, number: int, of: int | None, note: str = "", bar: str = "") -> None:
        """Show the progress on a terminal, in a line for each bar."""

    def done(self, bar: str = "") -> None:
        """Take a bar away."""

    def enter(self, target: str) -> None:
        """Learn that a target is about to be loaded."""

    def begin(self, heading: tuple[str, ...]) -> None:
        for text in (*heading, "") if self.listing else ():
            self.text(text)

    def case(
        self, invariant: str, dtype: str, number: int, cases: int, case: Case | None = None
    ) -> None:
        del case
        self.doing(f"{invariant} {dtype}", number, cases)

    def failed(self, message: str) -> None:
        if ranks.world() > 1:
            click.echo(f"rank {ranks.rank()}: {message}", err=True)
            os._exit(1)

    def examined(self, verdict: Verdict) -> None:
        if verdict.kind == "error":
            self.failed(verdict.message)

    def verdict(self, verdict: Verdict) -> None:
        from symmetry.report.verdicts import line

        style = {"fg": "red"} if verdict.stale else _STYLES[verdict.kind]
        kind = f" {verdict.kind} "
        if self.listing:
            self.text(line(verdict).replace(kind, click.style(kind, **style), 1))


class Silent(Screen):
    """Shows nothing: the command is quiet, or another process shows the progress."""

    def text(self, text: str, err: bool = False) -> None:
        """Show nothing."""


class Live(Screen):
    """Prints lines above bars that show what is being done."""

    live = True

    def __init__(self, bars: Progress, *, on_stderr: bool) -> None:
        self._bars, self._on_stderr = bars, on_stderr
        self._tasks: dict[str, TaskID] = {}

    def text(self, text: str, err: bool = False) -> None:
        from rich.text import Text

        if err == self._on_stderr:  # a command stays in one piece
            self._bars.console.print(Text.from_ansi(text), soft_wrap=True)
        else:  # that one is no terminal
            super().text(text, err=err)

    def doing(self, what: str, number: int, of: int | None, note: str = "", bar: str = "") -> None:
        note = note if of is None else f"{number:,} of {of:,}  {note}"
        if bar not in self._tasks:
            self._tasks[bar] = self._bars.add_task(what, total=of, note=note)
        self._bars.update(self._tasks[bar], description=what, completed=number, total=of, note=note)

    def done(self, bar: str = "") -> None:
        if bar in self._tasks:
            self._bars.remove_task(self._tasks.pop(bar))


_current = Screen()


def current() -> Screen:
    """Return where this process shows what it finds."""
    return _current


def say(text: str, *, err: bool = False) -> None:
    """Show a line of text where this process shows what it finds."""
    _current.text(text, err=err)


@contextmanager
def showing(screen: Screen) -> Iterator[Screen]:
    """Show everything on ``screen`` while the block runs."""
    global _current
    before, _current = _current, screen
    try:
        yield screen
    finally:
        _current = before


def numbers(point: Point) -> str:
    """Return the loss and the accuracy of an iteration as text."""
    return f"loss {point.loss:.6f}  accuracy {point.accuracy:5.2f} %"


def on_terminal(name: str = "stdout") -> bool:
    """Return whether that stream is a terminal on which lines can be drawn anew."""
    return getattr(sys, name).isatty() and os.environ.get("TERM") != "dumb"


@contextmanager
def terminal(*, quiet: bool = False) -> Iterator[Screen]:
    """Show everything with colours and bars while the block runs, if there is a terminal."""
    terminals = [name for name in ("stdout", "stderr") if on_terminal(name)]
    if quiet or type(_current) is not Screen or not terminals:  # or somebody has chosen already
        with showing(Silent() if quiet else _current) as screen:
            yield screen
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    on_stderr = "stdout" not in terminals
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(compact=True),
    )
    console = Console(highlight=False, stderr=on_stderr)
    with (
        Progress(*columns, console=console, transient=True, redirect_stdout=not on_stderr) as bars,
        showing(Live(bars, on_stderr=on_stderr)) as screen,
    ):
        yield screen
