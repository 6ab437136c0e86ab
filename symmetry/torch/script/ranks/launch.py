"""Launching ranks: processes that are forked where PyTorch is imported, and nothing has run.

    launch(script, [RankTask(), RankTask()])    both run the script at the same time, and talk by
                                                gloo over a file; each leaves a file, and ends

A rank that fails or waits for too long ends all of them: the error names where each of them is.
"""

from __future__ import annotations

import faulthandler
import gc
import io
import math
import os
import pickle
import re
import signal
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from symmetry.base import ranks
from symmetry.base.errors import SymmetryError
from symmetry.base.folders import TemporaryFolder
from symmetry.base.processes import idle
from symmetry.base.user_code import is_user_code, spell
from symmetry.units.words import count

_FRAME = re.compile(r'File "(.+)", line (\d+)')
_MOSTLY = 0.9  # of the time, that a rank does nothing which waits
_BETWEEN = 0.01  # seconds between two looks at the ranks
_PATIENT = 1.5  # times as long as a rank waits for another one
_GRACE = 2.0  # seconds for the others to end by themselves, once one has failed
_exit = os._exit  # the script may replace it


class RanksError(SymmetryError):
    """A script fails, or waits for ever, on several ranks."""


@dataclass
class _Rank:
    """One process, and what it has left when it has ended."""

    process: int
    folder: Path
    result: Any = None
    error: str = ""
    ended: bool = False
    place: str = field(default="")  # file:line where it was, if others have failed
    _since: tuple[float, float] | None = None  # when it began to wait, by two clocks

    def look(self) -> bool:
        """Return whether it has ended; then read what it has left."""
        if not self.ended and os.waitpid(self.process, os.WNOHANG)[0]:
            self.ended = True
            try:
                self.result, self.error = pickle.loads((self.folder / "result").read_bytes())
            except (OSError, EOFError, pickle.UnpicklingError):
                self.error = "its process ended without a result"
        return self.ended

    def idle(self) -> float:
        """Return for how many seconds it has hardly computed."""
        now = time.monotonic(), idle(self.process)
        since = self._since or now
        waits = now[1] - since[1] >= _MOSTLY * (now[0] - since[0])
        self._since = since if waits else now
        return now[0] - self._since[0]

    def locate(self) -> None:
        """Note the innermost line of the user's code that it is at."""
        with suppress(ProcessLookupError):
            os.kill(self.process, signal.SIGUSR1)
        until = time.monotonic() + 1
        while not (text := self._dumped()) and time.monotonic() < until:
            time.sleep(_BETWEEN)
        frames = ((found[1], int(found[2])) for found in _FRAME.finditer(text))
        self.place = next((spell(*frame) for frame in frames if is_user_code(frame[0])), "")

    def _dumped(self) -> str:
        with suppress(OSError):
            return (self.folder / "stack").read_text(errors="replace")
        return ""

    def end(self) -> None:
        """End it in the middle of whatever it does."""
        if not self.ended:
            with suppress(ProcessLookupError):
                os.kill(self.process, signal.SIGKILL)
            os.waitpid(self.process, 0)


def launch(name: str, works: Sequence[Callable[[], Any]], seconds: float) -> list[Any]:
    """Return the results of functions that run at the same time, each as one of several ranks.

    Parameters
    ----------
    name
        The training's, for messages.
    works
        The functions; their results can be pickled.
    seconds
        How long a rank may wait for the others.

    Raises
    ------
    RanksError
        If one fails, or waits for too long.
    """
    with TemporaryFolder() as folder:
        started = [
            _start(work, number, len(works), Path(folder), seconds)
            for number, work in enumerate(works)
        ]
        try:
            _wait(started, _PATIENT * seconds)
            failed = [(number, rank) for number, rank in enumerate(started) if rank.error]
            if failed:
                on = f"{name} on {count(len(works), 'rank')}"
                raise RanksError(f"{on}: {_told(started, *failed[0])}")
        finally:
            for rank in started:
                rank.end()
        return [rank.result for rank in started]


def _wait(started: Sequence[_Rank], seconds: float) -> None:
    """Wait until all have ended, or one has failed and the others are located.

    If none has computed for some seconds, the first one has failed: it may wait in code that has no
    limit of its own.
    """
    failed_at = None
    while sum(rank.look() for rank in started) < len(started):
        if failed_at is None and any(rank.error for rank in started):
            failed_at = time.monotonic()
        going = [rank for rank in started if not rank.ended]
        if failed_at is None and going and min(rank.idle() for rank in going) > seconds:
            going[0].locate()
            at = f" at {going[0].place}" if going[0].place else ""
            going[0].error = f"it has waited for {seconds:g} seconds{at}"
            failed_at = -math.inf
        if failed_at is not None and time.monotonic() - failed_at > _GRACE:
            for rank in started:
                if not (rank.ended or rank.error):
                    rank.locate()
            return
        time.sleep(_BETWEEN)


def _told(started: Sequence[_Rank], number: int, rank: _Rank) -> str:
    """Say what failed, and where the other ranks are."""
    others = [
        f"rank {n} is at {each.place}" if each.place else f"rank {n}: {each.error}"
        for n, each in enumerate(started)
        if each is not rank and (each.place or each.error not in ("", rank.error))
    ]
    return "; ".join([f"rank {number}: {rank.error}", *others])


def _start(work: Callable[[], Any], number: int, world: int, folder: Path, seconds: float) -> _Rank:
    own = folder / str(number)
    own.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fork beside the thread that gives signs of life
        process = os.fork()
    if not process:
        try:
            _be_a_rank(work, number, world, folder, own, seconds)
        finally:
            _exit(1)
    return _Rank(process, own)


def _be_a_rank(
    work: Callable[[], Any], number: int, world: int, folder: Path, own: Path, seconds: float
) -> None:
    """Work in this process, which has just been forked, and end it."""
    gc.freeze()  # garbage of the other process may be a group, which waits for threads as it ends
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    stack = (own / "stack").open("w")
    faulthandler.register(signal.SIGUSR1, file=stack, all_threads=False)
    os.environ.update(ranks.variables(number, world))
    os.environ[ranks.STORE] = str(folder / "store")
    os.environ[ranks.PATIENCE] = str(seconds)
    result, error = None, ""
    try:
        result = work()
    except BaseException as raised:
        error = " ".join(str(raised).split()) or type(raised).__name__
    data = io.BytesIO()
    pickle.dump((result, error), data)
    (own / "partial").write_bytes(data.getvalue())
    (own / "partial").rename(own / "result")
    _exit(0)
