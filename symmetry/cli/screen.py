"""Where a command shows what it finds: a terminal, a pipe, or the process that has started it.

Nothing heavy is imported here. Piped, the same command prints the same bytes: no colours, no times.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from symmetry.checker.verdict import Verdict


class Screen:
    """Prints lines; what is being done is not shown."""

    live = False  # whether anybody looks at what is being done

    def text(self, text: str, err: bool = False, words: str = "", style: str = "") -> None:
        """Show a line, on a terminal with some of its words in a style of Rich."""
        del words, style
        click.echo(text, err=err)

    def doing(self, what: str, number: int, of: int | None, note: str = "", bar: str = "") -> None:
        """Show on a terminal how far what is being done has come, in a line for each bar."""

    def done(self, bar: str = "") -> None:
        """Take a bar away."""

    def enter(self, target: str) -> None:
        """Learn that a target is about to be loaded."""

    def attempt(self, verdict: Verdict) -> None:
        """Learn what is about to be run, by the verdict if it ends this process."""

    def examined(self, verdict: Verdict) -> None:
        """Learn a verdict that is known."""

    def known(self, invariant: str, dtype: str) -> Verdict | None:
        """Return the verdict if nothing is to be run for it."""


class Silent(Screen):
    """Shows nothing: nobody wants to see it, or another process shows it."""

    def text(self, text: str, err: bool = False, words: str = "", style: str = "") -> None:
        """Show nothing."""


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


def on_terminal(name: str = "stdout") -> bool:
    """Return whether that stream is a terminal on which lines can be drawn anew."""
    return getattr(sys, name).isatty() and os.environ.get("TERM") != "dumb"


@contextmanager
def terminal() -> Iterator[Screen]:
    """Show everything with colours and bars while the block runs, if there is a terminal."""
    terminals = [name for name in ("stdout", "stderr") if on_terminal(name)]
    if type(_current) is not Screen or not terminals:  # somebody has chosen already
        yield _current
        return
    from symmetry.cli.live import live

    with live(on_stderr="stdout" not in terminals) as screen, showing(screen):
        yield screen
