"""Colours and bars on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from symmetry.cli.screen import Screen


class Live(Screen):
    """Prints lines above bars that show what is being done."""

    live = True

    def __init__(self, bars: Progress, *, on_stderr: bool) -> None:
        self._bars, self._on_stderr = bars, on_stderr
        self._tasks: dict[str, TaskID] = {}

    def text(self, text: str, err: bool = False, words: str = "", style: str = "") -> None:
        if err != self._on_stderr:  # that one is no terminal
            super().text(text, err=err)
            return
        shown = Text.from_ansi(text)
        if words:
            shown.highlight_words([words], style)
        self._bars.console.print(shown, soft_wrap=True)  # a command stays in one piece

    def doing(self, what: str, number: int, of: int | None, note: str = "", bar: str = "") -> None:
        note = note if of is None else f"{number:,} of {of:,}  {note}"
        if bar not in self._tasks:
            self._tasks[bar] = self._bars.add_task(what, total=of, note=note)
        self._bars.update(self._tasks[bar], description=what, completed=number, total=of, note=note)

    def done(self, bar: str = "") -> None:
        if bar in self._tasks:
            self._bars.remove_task(self._tasks.pop(bar))


@contextmanager
def live(*, on_stderr: bool) -> Iterator[Live]:
    """Show bars on the terminal that is standard output, or standard error, during the block."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(compact=True),
    )
    console = Console(highlight=False, stderr=on_stderr)
    with Progress(*columns, console=console, transient=True, redirect_stdout=not on_stderr) as bars:
        yield Live(bars, on_stderr=on_stderr)
