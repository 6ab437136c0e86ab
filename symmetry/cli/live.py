"""Colours and a bar on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from symmetry.cli.screen import Screen


class Live(Screen):
    """Prints lines above a bar that shows what is being done."""

    live = True

    def __init__(self, bar: Progress, *, on_stderr: bool) -> None:
        self._bar, self._on_stderr = bar, on_stderr
        self._task = bar.add_task("", total=None)

    def text(  # noqa: D102
        self, text: str, *, words: str = "", style: str = "", err: bool = False
    ) -> None:
        if err != self._on_stderr:  # that one is no terminal
            super().text(text, err=err)
            return
        shown = Text.from_ansi(text)
        if words:
            shown.highlight_words([words], style)
        self._bar.console.print(shown, soft_wrap=True)  # a command stays in one piece

    def doing(self, what: str, number: int, of: int) -> None:  # noqa: D102
        self._bar.update(self._task, description=what, completed=number, total=of)


@contextmanager
def live(*, on_stderr: bool) -> Iterator[Live]:
    """Show a bar on the terminal that is standard output, or standard error, during the block."""
    columns = TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn()
    console = Console(highlight=False, stderr=on_stderr)
    with Progress(*columns, console=console, transient=True, redirect_stdout=not on_stderr) as bar:
        yield Live(bar, on_stderr=on_stderr)
