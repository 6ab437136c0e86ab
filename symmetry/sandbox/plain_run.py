"""The process of a plain run: a script as its user starts it, contained, and otherwise left alone.

A check shortens epochs, promotes numbers, observes each call, and starts a script often in one
process. Here a script runs once, from its first line on. Nothing is imported that it may find in
its own folder, and nothing is recorded but its first updates.
"""

from __future__ import annotations

import importlib.machinery
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import BinaryIO

from symmetry.base.errors import TrainingError
from symmetry.base.importing import SetAside
from symmetry.base.processes import take_pipes
from symmetry.base.raised import silenced
from symmetry.base.randomness import generators
from symmetry.base.randomness.held_seeds import HeldSeeds, Numbers
from symmetry.base.randomness.unseeded import giving_seeds
from symmetry.base.updates import PlainRun, UpdateLog
from symmetry.sandbox.clock import leaping
from symmetry.sandbox.mirror_pool import MirrorPool
from symmetry.sandbox.namesake import NAME
from symmetry.sandbox.sandbox import Sandbox, Uninterrupted
from symmetry.sandbox.source import Source

Within = Callable[[], AbstractContextManager[None]]  # it can be pickled
Around = Callable[[], AbstractContextManager[None]]
# Begins to record, around the rest of the process, with a seed; it can be pickled.
Recorder = Callable[[UpdateLog, int, Around], None]
Answer = Callable[[PlainRun | None], None]
_exit = os._exit  # the script may replace it


@dataclass(frozen=True)
class PlainOrder:
    """The order to a process of a plain run."""

    source: Source
    within: Within = nullcontext  # gives the script what the machine lacks
    recorder: Recorder | None = None  # of its first updates, behind which the run ends
    seed: int = 0  # of all random numbers
    numbers: Numbers | None = None  # that its lines seed generators with; None for its own
    leaps: int | None = None  # the seed of a clock that leaps; None for a true one
    # A package that the process has in memory when it begins; empty for none. The answer is None
    # if the script has changed the environment before it imports it: a library reads that then.
    ready: str = ""


def main() -> None:
    """Run the script that comes through standard input, and answer what it did."""
    questions, answers = take_pipes()
    order: PlainOrder = pickle.load(questions)
    threading.Thread(target=_end_with, args=(questions,), daemon=True).start()

    def answer(run: PlainRun | None) -> None:
        pickle.dump(run, answers)
        answers.flush()

    run_here(order, answer)
    _exit(0)  # threads of the script may go on


def run_here(order: PlainOrder, answer: Answer) -> None:
    """Run a script in this process, and answer what it did; behind enough updates the process ends.

    Its random numbers begin from a seed, as in a check.
    """
    with nullcontext() if order.leaps is None else leaping(order.leaps):
        _run(order, answer)


def _run(order: PlainOrder, answer: Answer) -> None:
    mirrors = MirrorPool(*order.source.homes)
    log = UpdateLog()
    environment: dict[str, str] = {}  # that the script begins with

    def end(run: PlainRun | None) -> None:
        answer(run)
        mirrors.leave()
        sandbox.mirror.remove()
        _exit(0)

    def enough() -> None:
        end(PlainRun(is_whole=False, updates=tuple(log.updates)))

    def within() -> AbstractContextManager[None]:
        environment.update(os.environ)
        return order.within()

    def asked() -> None:
        if dict(os.environ) != environment:
            end(None)

    if order.ready:
        SetAside(order.ready, asked)
    sandbox = Sandbox(order.source, mirrors, within, stack=Uninterrupted)
    failure = None
    try:
        with silenced(), generators.kept(generators.shared()), giving_seeds():
            generators.seed_all(order.seed)
            if order.recorder is not None:
                log.full = enough
                held = HeldSeeds(order.numbers)
                order.recorder(log, order.seed, held.of_run() if order.numbers else nullcontext)
                for name in shadowed(order.source):
                    del sys.modules[name]
            sandbox.resume()
    except TrainingError as error:
        failure = error.failure
    finally:
        sandbox.close(throwing=lambda: None, free=lambda: None)
        mirrors.remove()
    answer(PlainRun(failure, updates=tuple(log.updates)))


def shadowed(source: Source) -> Iterator[str]:
    """Yield modules that are imported here, and whose names are those of files beside the script.

    Python finds the file, but for the modules that it imports before any script.
    """
    folder = str(source.homes[0])
    find = importlib.machinery.PathFinder.find_spec
    tops = {name.partition(".")[0] for name in sys.modules} - {"__main__", NAME}
    beside = {top for top in tops if getattr(find(top, [folder]), "has_location", False)}
    if not beside:
        return
    listed = "import sys; print(*sys.modules)"
    python = [sys.executable, "-P", "-c", listed]
    early = subprocess.run(python, capture_output=True, text=True, check=True).stdout.split()
    for name in [*sys.modules]:
        if name.partition(".")[0] in beside.difference(early):
            yield name


def _end_with(questions: BinaryIO) -> None:
    """End this process as soon as the other one has ended, or has closed the pipe."""
    questions.read()
    _exit(1)
