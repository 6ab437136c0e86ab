"""The process in which a command runs code under test: whatever that does, the command goes on.

It obeys the same command line, and shows what it finds to the process that has started it
(``parent.py``).
"""

from __future__ import annotations

import math
import os
import pickle
import threading
import time

from symmetry.base.calls import running
from symmetry.base.errors import INTERRUPTED
from symmetry.base.memory import keep
from symmetry.base.processes import take_pipes
from symmetry.base.raised import in_one_line
from symmetry.cli import execute
from symmetry.cli.isolation.child import SECONDS, Remote
from symmetry.cli.screen import showing
from symmetry.report.folding import WIDTH
from symmetry.sandbox.confinement.confined import confine

_exit, _sleep = os._exit, time.sleep  # code under test may replace them


def main() -> None:
    """Obey the command line that comes through standard input, and answer its exit status."""
    confine()
    questions, answers = take_pipes()
    order = pickle.load(questions)
    remote = Remote(order, answers)
    keep()
    running.limit = math.inf if order.budget is None else order.budget
    threading.Thread(target=_beat, args=(remote,), daemon=True).start()
    try:
        with showing(remote), WIDTH.set(order.width):
            status = execute(order.arguments)
    except BaseException as error:  # whatever code under test has done to us
        try:
            remote.send("failed", f"{in_one_line(error)} (--in-process shows where)")
        finally:  # no traceback, if that fails as well
            _exit(1)
    if status == INTERRUPTED:  # a Ctrl-C never comes here
        remote.send("gone", "the target raised KeyboardInterrupt")
    else:
        remote.send("end", status)
    _exit(0)  # threads, exit handlers, finalisers: nothing that was left behind runs any more


def _beat(remote: Remote) -> None:
    """Give signs of life, and say whether a call of the code under test is running."""
    while True:
        call = running.calls, running.inside, running.first, running.loading
        remote.send("call", *call, running.pace)
        _sleep(SECONDS)
