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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from symmetry.base import ranks
from symmetry.base.errors import Failure, SymmetryError
from symmetry.base.folders import TemporaryFolder
from symmetry.base.processes import idle, tree_seconds
from symmetry.base.user_code import is_user_code, shorten, spell
from symmetry.units.words import count

_FRAME = re.compile(r'File "(.+)", line (\d+)')
# How gloo says that another rank has gone.
_OF_ANOTHER = re.compile(r"Connection (?:closed|reset)|Broken pipe|peer|waited for", re.IGNORECASE)
_MOSTLY = 0.9  # of the time, that a rank does nothing which waits
_BETWEEN = 0.01  # seconds between two looks at the ranks
_PATIENT = 1.5  # times as long as a rank waits for another one
_GRACE = 2.0  # seconds for the others to end by themselves, once one has failed
_exit = os._exit  # the script may replace it


class RanksError(SymmetryError):
    """A script fails, or waits for ever, on several ranks."""


class Unfinished(SymmetryError):  # noqa: N818
    """The ranks have not ended within the time that they have."""


@dataclass
class _Rank:
    """One process, and what it has left when it has ended."""

    process: int
    folder: Path
    result: Any = None
    error: str = ""
    ended: bool = False
    failure: Failure | None = None  # of the script
    place: str = field(default="")  # file:line where it was, if others have failed
    when: float = math.inf  # it ended
    _since: tuple[float, float] | None = None  # when it began to wait, by two clocks

    def look(self) -> bool:
        """Return whether it has ended; then read what it has left."""
        ended, status = (0, 0) if self.ended else os.waitpid(self.process, os.WNOHANG)
        if ended:
            self.ended = True
            try:
                file = self.folder / "result"
                self.result, self.error, self.failure = pickle.loads(file.read_bytes())
                self.when = file.stat().st_mtime
            except (OSError, EOFError, pickle.UnpicklingError):
                self.error = "its process ended without a result"
                if os.WIFSIGNALED(status) and (place := self._place()):
                    self.failure = _killed(os.WTERMSIG(status), place)
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
        while not self._dumped() and time.monotonic() < until:
            time.sleep(_BETWEEN)
        self.place = spell(*place) if (place := self._place()) else ""

    def _place(self) -> tuple[str, int] | None:
        """Return the innermost line of the user's code in the stack that it has left."""
        frames = ((found[1], int(found[2])) for found in _FRAME.finditer(self._dumped()))
        return next((frame for frame in frames if is_user_code(frame[0])), None)

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


def _killed(number: int, place: tuple[str, int]) -> Failure:
    """Return the failure of a rank that a signal has ended, as gloo does by SIGABRT."""
    text = f"is ended by {signal.Signals(number).name}"
    return Failure("RanksError", text, shorten(place[0]), place[1])


def launch(
    name: str,
    works: Sequence[Callable[[], Any]],
    seconds: float,
    *,
    limit: float = math.inf,
    variables: Mapping[str, str] | None = None,
) -> list[Any]:
    """Return the results of functions that run at the same time, each as one of several ranks.

    Parameters
    ----------
    name
        The training's, for messages.
    works
        The functions; their results can be pickled.
    seconds
        How long a rank may wait for the others.
    limit
        The CPU seconds that one of them may take, or a bit more.
    variables
        Further variables of their environment.

    Raises
    ------
    RanksError
        If one fails, or waits for too long.
    Unfinished
        If one takes longer than the limit.
    """
    with TemporaryFolder() as folder:
        started = [
            _start(work, number, len(works), Path(folder), seconds, variables or {})
            for number, work in enumerate(works)
        ]
        try:
            _wait(started, _PATIENT * seconds, limit)
            failed = [(number, rank) for number, rank in enumerate(started) if rank.error]
            if failed:
                raise _error(name, started, *min(failed, key=lambda each: _is_of_another(*each)))
        finally:
            for rank in started:
                rank.end()
        return [rank.result for rank in started]


def _is_of_another(number: int, rank: _Rank) -> tuple[bool, float, int]:
    """Return whether a rank only fails since another one has ended; when, and which it is."""
    return bool(_OF_ANOTHER.search(rank.error)), rank.when, number


def _error(name: str, started: Sequence[_Rank], number: int, rank: _Rank) -> RanksError:
    """Return the error of a rank, with the lines of all."""
    world = len(started)
    error = RanksError(f"{name} on {count(world, 'rank')}: {_told(started, number, rank)}")
    others = "; ".join(_others(started, rank))
    behind = f" on rank {number} of {world}{'; ' if others else ''}{others}"
    if rank.failure is not None:
        error.failure = replace(rank.failure, text=f"{rank.failure.text}{behind}")
    elif not rank.ended:
        file, _, line = rank.place.rpartition(":")
        text = f"waits for ever{behind}"
        error.failure = Failure("RanksError", text, file or None, int(line) if file else None)
    return error


def _wait(started: Sequence[_Rank], seconds: float, limit: float) -> None:
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
        if failed_at is None and any(tree_seconds(rank.process) > limit for rank in going):
            raise Unfinished(f"its ranks take more than {limit:g} CPU seconds")
        time.sleep(_BETWEEN)


def _told(started: Sequence[_Rank], number: int, rank: _Rank) -> str:
    """Say what failed, and where the other ranks are."""
    return "; ".join([f"rank {number}: {rank.error}", *_others(started, rank)])


def _others(started: Sequence[_Rank], rank: _Rank) -> Iterator[str]:
    """Yield where the other ranks are, or how they have ended."""
    for number, each in enumerate(started):
        if each is rank:
            continue
        if each.failure is not None and each.failure.line is not None:
            place = spell(each.failure.file or "", each.failure.line)
            yield f"rank {number} {each.failure.text.partition(':')[0]} at {place}"
        elif each.place:
            yield f"rank {number} is at {each.place}"
        elif each.error not in ("", rank.error):
            yield f"rank {number}: {each.error}"
        elif each.ended and not each.error:
            yield f"rank {number} has ended"


def _start(
    work: Callable[[], Any],
    number: int,
    world: int,
    folder: Path,
    seconds: float,
    variables: Mapping[str, str],
) -> _Rank:
    own = folder / str(number)
    own.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fork beside the thread that gives signs of life
        process = os.fork()
    if not process:
        try:
            _be_a_rank(
                work, number, world, folder, own, {ranks.PATIENCE: str(seconds), **variables}
            )
        finally:
            _exit(1)
    return _Rank(process, own)


def _be_a_rank(
    work: Callable[[], Any],
    number: int,
    world: int,
    folder: Path,
    own: Path,
    variables: Mapping[str, str],
) -> None:
    """Work in this process, which has just been forked, and end it."""
    gc.freeze()  # garbage of the other process may be a group, which waits for threads as it ends
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    stack = (own / "stack").open("w")
    faulthandler.enable(file=stack)
    faulthandler.register(signal.SIGUSR1, file=stack, all_threads=False)
    os.environ.update(ranks.variables(number, world))
    os.environ[ranks.STORE] = str(folder / "store")
    os.environ.update(variables)
    result, error, failure = None, "", None
    try:
        result = work()
    except BaseException as raised:
        error = " ".join(str(raised).split()) or type(raised).__name__
        failure = getattr(raised, "failure", None)
    data = io.BytesIO()
    pickle.dump((result, error, failure), data)
    (own / "partial").write_bytes(data.getvalue())
    (own / "partial").rename(own / "result")
    _exit(0)
