"""What the process that runs code under test is told, and what it tells the one that started it.

Where a new process had to be started, because the last one ended too early, it is told what is
known: it runs nothing again, and goes on behind the case that was running.
"""

from __future__ import annotations

import base64
import json
import os
import pickle
import signal
import threading
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, BinaryIO

from symmetry.base.errors import SymmetryError
from symmetry.cli.screen import Screen

if TYPE_CHECKING:
    from symmetry.checker.verdict import Verdict
    from symmetry.law.case import Case

SECONDS = 0.25  # between two signs of life
# Code under test may replace them.
_exit, _process = os._exit, os.getpid
_json, _pickled = json.dumps, pickle.dumps


@dataclass
class Order:
    """What a process is told when it starts."""

    token: str  # begins each of its messages, so that no other bytes are taken for one
    arguments: list[str]  # the command line
    live: bool  # whether anybody looks at how far it has come
    # Verdicts so far, by target, invariant and dtype: each pickled and in base64; then its message
    # where an earlier process ended too early or did not go on, else None.
    known: dict[tuple[str, str, str], tuple[str, str | None]] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)  # targets not to be loaded again, and why
    stopped: dict[str, str] = field(default_factory=dict)  # those not to be run again, and why


def verdicts_of(order: Order, target: str) -> dict[tuple[str, str], Verdict]:
    """Return the verdicts on a target that an order knows."""
    known: dict[tuple[str, str], Verdict] = {}
    for (of, invariant, dtype), (blob, message) in order.known.items():
        if of == target:
            verdict: Verdict = pickle.loads(base64.b64decode(blob))
            known[invariant, dtype] = (
                verdict if message is None else replace(verdict, message=message)
            )
    return known


def _end() -> None:
    """End this process and those that it has started: all are in a group of its own."""
    if hasattr(os, "killpg") and os.getpgrp() == _process():
        os.killpg(os.getpgrp(), signal.SIGKILL)
    _exit(1)


class Remote(Screen):
    """Shows everything in the other process, and tells it what is run."""

    def __init__(self, order: Order, pipe: BinaryIO) -> None:
        self._order, self._pipe, self.live = order, pipe, order.live
        self._owner, self._lock = _process(), threading.Lock()
        self._target = ""
        self._folder = os.getcwd()  # noqa: PTH109

    def send(self, kind: str, *values: Any) -> None:
        """Send a message; end this process if nobody reads it, or if it is a copy of the sender."""
        if _process() != self._owner:  # code under test has forked, and both came back
            _exit(1)
        try:
            with self._lock:
                self._pipe.write(f"{self._order.token}{_json([kind, *values])}\n".encode())
                self._pipe.flush()
        except Exception:  # nobody reads it, or code under test has broken what writes it
            _end()

    def text(self, text: str, err: bool = False) -> None:
        self.send("text", text, err)

    def doing(self, what: str, number: int, of: int | None, note: str = "", bar: str = "") -> None:
        if self.live:
            self.send("doing", what, number, of, note, bar)

    def enter(self, target: str) -> None:
        """Say that a target is about to be loaded; refuse it if that has ended a process before."""
        self._target = target
        self.send("target", target)
        if target in self._order.broken:
            raise SymmetryError(self._order.broken[target])

    def case(
        self, invariant: str, dtype: str, number: int, cases: int, case: Case | None = None
    ) -> None:
        """Say what is about to be run, by the verdict if it ends this process."""
        from symmetry.checker.verdict import Verdict

        super().case(invariant, dtype, number, cases)
        self._send("attempt", Verdict(invariant, dtype, "error", number + 1, case=case))

    def examined(self, verdict: Verdict) -> None:
        super().examined(verdict)
        self._send("examined", verdict)
        with suppress(OSError):
            os.chdir(self._folder)  # whatever code under test has made of it

    def learnt(self, target: str) -> tuple[dict[tuple[str, str], Verdict], str]:
        """Return the verdicts that earlier processes have found, and why nothing else is run."""
        return verdicts_of(self._order, target), self._order.stopped.get(target, "")

    def _send(self, kind: str, verdict: Verdict) -> None:
        blob = base64.b64encode(_pickled(verdict)).decode()
        self.send(kind, (self._target, verdict.invariant, verdict.dtype), blob)
