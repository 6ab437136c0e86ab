"""Messages between a command and the child process that runs the user's code."""

from __future__ import annotations

import json
import os
import signal
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

from symmetry.base.errors import SymmetryError
from symmetry.cli.isolation.account import packed
from symmetry.cli.screen import Screen
from symmetry.report.folding import MOST

if TYPE_CHECKING:
    from symmetry.checker.verdict import Checked, Verdict
    from symmetry.law.case import Case

SECONDS = 0.25  # between two signs of life
# Code under test may replace them.
_exit, _process = os._exit, os.getpid
_json = json.dumps


@dataclass
class Command:
    """The order that a process receives when it starts."""

    token: str  # begins each of its messages, so that no other bytes are taken for one
    arguments: list[str]  # the command line
    live: bool  # whether progress is shown
    width: int = MOST  # letters of a line of prose
    # Targets, of several, that end a process as they are loaded, and how.
    broken: dict[str, str] = field(default_factory=dict)
    budget: float | None = None  # CPU seconds that it may take, from its start


def _end() -> None:
    """End this process and those that it has started: all are in a group of its own."""
    if hasattr(os, "killpg") and os.getpgrp() == _process():
        os.killpg(os.getpgrp(), signal.SIGKILL)
    _exit(1)


class Remote(Screen):
    """Shows everything in the other process, and reports the running call to it."""

    def __init__(self, order: Command, pipe: BinaryIO) -> None:
        self._command, self._pipe, self.live = order, pipe, order.live
        self._owner, self._lock = _process(), threading.Lock()
        self._folder = os.getcwd()  # noqa: PTH109

    def send(self, kind: str, *values: Any) -> None:
        """Send a message; end this process if its reader is gone, or if it is a fork."""
        if _process() != self._owner:  # code under test has forked, and both came back
            _exit(1)
        try:
            with self._lock:
                self._pipe.write(f"{self._command.token}{_json([kind, *values])}\n".encode())
                self._pipe.flush()
        except Exception:  # its reader is gone, or code under test has broken the writer
            _end()

    def text(self, text: str, err: bool = False) -> None:
        self.send("text", text, err)

    def doing(self, what: str, number: int, of: int | None, note: str = "", bar: str = "") -> None:
        if self.live:
            self.send("doing", what, number, of, note, bar)

    def enter(self, target: str) -> None:
        """Say that a target is about to be loaded; refuse it if that has ended a process before."""
        self.send("target", target)
        if target in self._command.broken:
            raise SymmetryError(self._command.broken[target])

    def case(
        self, invariant: str, dtype: str, number: int, cases: int, case: Case | None = None
    ) -> None:
        """Report the next case by the verdict to give if it ends this process."""
        from symmetry.checker.verdict import unfinished

        super().case(invariant, dtype, number, cases)
        # A training has no cases: the number says how far its check is.
        begun = 1 if case is None else number + 1
        running = unfinished(invariant, dtype, "", cases=begun, case=case)
        self.send("attempt", packed(running))

    def planned(self, record: Checked) -> None:
        self.send("planned", packed(record))

    def examined(self, verdict: Verdict) -> None:
        super().examined(verdict)
        self.send("examined", packed(verdict))
        with suppress(OSError):
            os.chdir(self._folder)  # whatever code under test has made of it

    def verdict(self, verdict: Verdict) -> None:
        super().verdict(verdict)
        self.send("verdict", packed(verdict))
