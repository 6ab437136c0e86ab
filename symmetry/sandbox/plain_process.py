"""The process of a plain run, and its answer: one that starts, or a fork where nothing has run yet.

A fork has PyTorch already, whose import takes longer than most runs up to their first updates.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from symmetry.base import fork, processes
from symmetry.base.calls import running
from symmetry.base.failure import PlainRun
from symmetry.sandbox.plain_run import PlainOrder, obey
from symmetry.sandbox.source import Source

SECONDS = 60.0  # that it may take, without those in which other processes have the processor
_BETWEEN = 0.05  # seconds between two looks at the process
_exit = os._exit  # a script may replace it


def may_fork(source: Source) -> bool:
    """Return whether a fork of this process is as plain as a new one.

    It is as long as no code under test has run here. A script that speaks of its environment may
    change how a library is imported.
    """
    fresh = processes.for_a_check and not running.run and not fork.has_pool()
    if not (fork.POSSIBLE and fresh and isinstance(source.script, Path)):
        return False
    return b"environ" not in source.script.read_bytes()


class PlainProcess:
    """A process of a plain run; its pipes are closed with it, so that this one can be forked.

    Parameters
    ----------
    order
        The run.
    seconds
        The time that it may take.
    hash_seed
        The seed of the hashes of texts; if it is empty, a new process has its own.
    as_fork
        Whether it is a fork of this process.
    """

    def __init__(
        self,
        order: PlainOrder,
        seconds: float = SECONDS,
        hash_seed: str = "",
        *,
        as_fork: bool = False,
    ) -> None:
        variables = {"PYTHONHASHSEED": hash_seed} if hash_seed else {}
        forked = _forked(order) if as_fork else None
        self._process = forked or _started(order, os.environ | variables)
        self._seconds, self._began = seconds, time.monotonic()
        self._found: PlainRun | None = None

    def result(self) -> PlainRun:
        """Wait for its answer, as long as its time allows."""
        if self._found is None:
            self._found = self._answer()
            self.close()
        return self._found

    def close(self) -> None:
        """End the process, and those that the script has started in its group."""
        if hasattr(os, "killpg"):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()

    def _answer(self) -> PlainRun:
        pipe = self._process.stdout
        assert pipe
        while not select.select([pipe], [], [], _BETWEEN)[0]:
            took = time.monotonic() - self._began - processes.waited(self._process.pid)
            if took > self._seconds:
                return PlainRun(is_whole=False)
        answer = pipe.read()  # it may have ended without one
        if not answer:
            return PlainRun(is_whole=False, killed=processes.ending(self._process.wait()))
        run: PlainRun = pickle.loads(answer)
        return run


def _started(order: PlainOrder, variables: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start a process, and give it its order."""
    started = processes.start(
        "symmetry.sandbox.plain_run", stderr=subprocess.DEVNULL, env=variables
    )
    assert started.stdin
    with suppress(BrokenPipeError):
        pickle.dump(order, started.stdin)
        started.stdin.flush()
    return started


def _forked(order: PlainOrder) -> _Forked | None:
    """Return a fork that obeys an order; None if memory does not suffice for two processes."""
    try:
        return _Forked(order)
    except fork.ForkError:
        return None


class _Forked:
    """A fork of this process that obeys an order; it is used as ``subprocess.Popen`` is."""

    stdin = None

    def __init__(self, order: PlainOrder) -> None:
        reading, writing = os.pipe()
        self._ended: int | None = None
        self.pid = fork.new_fork()
        if not self.pid:
            _obey(order, writing)
        os.close(writing)
        self.stdout = os.fdopen(reading, "rb")

    def kill(self) -> None:
        """Kill it."""
        if self._ended is None:
            os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        """Wait for its end, and return how it has ended, as ``subprocess`` says it."""
        if self._ended is None:
            self._ended = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._ended


def _obey(order: PlainOrder, pipe: int) -> NoReturn:
    """Run a script in this process, which has just been forked, and end it."""
    try:
        os.setsid()  # a Ctrl-C does not reach it, and its processes end with it
        fork.separate()
        fork.close_files(but=pipe)
        obey(order, os.fdopen(pipe, "wb"))
    finally:
        _exit(1)
