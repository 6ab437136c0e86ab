"""What a person sees while targets are checked: a line for each verdict, and what is being done.

Piped, the same command prints the same bytes: no colours, no times. This module is imported when a
command does its work, not before.
"""

from __future__ import annotations

import os

import click

from symmetry import ranks
from symmetry.checker.case import Case
from symmetry.checker.check import Progress
from symmetry.checker.verdict import Kind, Verdict
from symmetry.cli.screen import current, say
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


class Shown(Progress):
    """Shows on the screen what a check tells, and hands it over to the process that waits for it.

    Without a terminal, a line on standard error tells of each invariant that is finished.
    """

    def __init__(self) -> None:
        self._screen, self._finished = current(), ""

    def begin(self, heading: tuple[str, ...]) -> None:
        for text in (*heading, ""):
            say(text)

    def known(self, invariant: str, dtype: str) -> Verdict | None:
        return self._screen.known(invariant, dtype)

    def case(
        self, invariant: str, dtype: str, number: int, cases: int, case: Case | None = None
    ) -> None:
        self._screen.doing(f"{invariant} {dtype}", number, cases)
        self._screen.attempt(Verdict(invariant, dtype, "error", number + 1, case=case))

    def failed(self, message: str) -> None:
        if ranks.world() > 1:
            click.echo(f"rank {ranks.rank()}: {message}", err=True)
            os._exit(1)

    def examined(self, verdict: Verdict) -> None:
        if verdict.kind == "error":
            self.failed(verdict.message)
        self._screen.examined(verdict)

    def verdict(self, verdict: Verdict) -> None:
        style = "red" if verdict.stale else _STYLES[verdict.kind]
        self._screen.text(line(verdict), words=f" {verdict.kind} ", style=style)
        if not self._screen.live and self._finished != verdict.invariant:
            self._finished = verdict.invariant
            say(f"finished {verdict.invariant}", err=True)
