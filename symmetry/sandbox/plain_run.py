"""Runs a script as its user does, in a process of its own: contained, and otherwise left alone.

A check shortens epochs, promotes numbers, observes each call, and starts a script often in one
process. A script that fails at the same line in this run fails by itself.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import BinaryIO

from symmetry.base import ranks
from symmetry.base.errors import TrainingError
from symmetry.base.failure import Failure, PlainRun
from symmetry.base.processes import start, take_pipes, waited
from symmetry.base.raised import silenced
from symmetry.base.randomness import generators
from symmetry.sandbox.mirror_pool import MirrorPool
from symmetry.sandbox.sandbox import Sandbox, Uninterrupted
from symmetry.sandbox.source import Source

_SECONDS = 60.0  # that it may take, without those in which other processes have the processor
_BETWEEN = 0.05  # seconds between two looks at the process

Within = Callable[[], AbstractContextManager[None]]  # it can be pickled
_exit = os._exit  # the script may replace it


def run_plainly(
    source: Source, seconds: float = _SECONDS, within: Within = nullcontext
) -> PlainRun:
    """Run a script to its end, or as long as the time allows; return whether it fails.

    It runs ``within`` a context that gives it what the machine lacks. A rank of several would wait
    for the others. A function runs in this process, and to its end.
    """
    if ranks.world() > 1:
        return PlainRun(is_whole=False)
    if callable(source.script):
        with generators.kept(generators.shared()):
            return PlainRun(_failure(source, within))
    process = start("symmetry.sandbox.plain_run", stderr=subprocess.DEVNULL)
    assert process.stdin
    assert process.stdout
    try:
        pickle.dump((source, within), process.stdin)
        process.stdin.flush()
        began = time.monotonic()
        while process.poll() is None:
            if time.monotonic() - began - waited(process.pid) > seconds:
                return PlainRun(is_whole=False)
            time.sleep(_BETWEEN)
        answer = process.stdout.read()
    except BrokenPipeError:
        answer = b""
    finally:
        _end(process)
    if process.returncode or not answer:  # killed, or ended by the script
        return PlainRun(is_whole=False)
    failure: Failure | None = pickle.loads(answer)
    return PlainRun(failure)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process, and those that the script has started in its group."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        with suppress(BrokenPipeError):
            if pipe is not None:
                pipe.close()


def main() -> None:
    """Run the script that comes through standard input, and answer its failure."""
    questions, answers = take_pipes()
    source, within = pickle.load(questions)
    threading.Thread(target=_end_with, args=(questions,), daemon=True).start()
    failure = _failure(source, within)
    pickle.dump(failure, answers)
    answers.flush()
    _exit(0)  # threads of the script may go on


def _failure(source: Source, within: Within) -> Failure | None:
    mirrors = MirrorPool(*source.homes)
    sandbox = Sandbox(source, mirrors, within, stack=Uninterrupted)
    try:
        with silenced():
            sandbox.resume()
    except TrainingError as error:
        return error.failure
    finally:
        sandbox.close(throwing=lambda: None, free=lambda: None)
        mirrors.remove()
    return None


def _end_with(questions: BinaryIO) -> None:
    """End this process as soon as the other one has ended, or has closed the pipe."""
    questions.read()
    _exit(1)
