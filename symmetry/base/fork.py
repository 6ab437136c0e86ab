"""A function that is called in a fork of this process, and what it returns there.

    forked(lambda: compute(state))      the fork begins with all that this process has in memory.
                                        Its changes are lost, and its result comes back through a
                                        pipe, pickled. Then the fork has ended.

A fork has one thread, and shares connections and some memory with this process. ``held`` names
these: a process that has got no more of them since some moment can be forked.
"""

from __future__ import annotations

import gc
import math
import os
import pickle
import signal
import stat
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from symmetry.base.calls import running
from symmetry.base.processes import end_with_parent, waited

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Result = TypeVar("Result")
SILENCE = 15.0  # seconds without a sign of life, after which a fork hangs: it lacks a thread, say
BETWEEN = 0.5  # seconds between two looks at a silent fork
_SEMAPHORE = "/dev/shm/sem."
_SHARED = "s"  # how the permissions of shared memory end
_SELF = Path("/proc/self")
_exit = os._exit  # a script may replace it
POSSIBLE = sys.platform == "linux"


class ForkError(Exception):
    """A fork has ended without a result."""


def forked(function: Callable[[], Result]) -> tuple[Result, float]:
    """Return what a function returns in a fork, and the CPU seconds of the fork.

    Calls of user code are counted as if they were made here.

    Raises
    ------
    ForkError
        If the function raises there, the fork is killed or hangs, or the result cannot be pickled.
    """
    from multiprocessing import Pipe  # it takes a while to import

    reading, writing = Pipe(duplex=False)
    with reading:
        with writing:
            process = _fork()
            if not process:
                try:
                    reading.close()
                    _be_a_fork(function, writing)
                finally:
                    _exit(1)
        return _of(process, reading)


def _of(process: int, pipe: Connection) -> tuple[Any, float]:
    """Return the result of a fork, and its CPU seconds; end it if it has none."""
    try:
        result = _received(pipe, process)
    except BaseException:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        raise
    used = os.wait4(process, 0)[2]
    return result, used.ru_utime + used.ru_stime


def _fork() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fork beside the thread that gives signs of life
        try:
            return os.fork()
        except OSError as error:  # memory may not suffice for two of this process
            raise ForkError(str(error)) from error


def _received(pipe: Connection, process: int) -> Any:
    """Return the result that comes through a pipe, behind the calls that are reported before."""
    since = _clock(process)
    while True:
        if not pipe.poll(BETWEEN):
            if _clock(process) - since > SILENCE:
                raise ForkError("it hangs")
            continue
        try:
            kind, value = pickle.loads(pipe.recv_bytes())
        except EOFError as error:
            raise ForkError("it has ended") from error
        except Exception as error:  # an object may lack its class here, say
            raise ForkError(f"{type(error).__name__}: {error}") from error
        if kind == "result":
            return value
        if kind == "raised":
            raise ForkError(value)
        vars(running).update(value)
        since = _clock(process)


def _clock(process: int) -> float:
    """Return the time, without what a process has waited for a processor."""
    return time.monotonic() - waited(process)


def _be_a_fork(function: Callable[[], Any], pipe: Connection) -> None:
    """Call a function in this process, which has just been forked, and end it."""
    end_with_parent()
    gc.freeze()  # pages of memory are shared until something writes into them
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (1, 2):
        os.dup2(nowhere, stream)

    def send(*message: Any) -> None:
        pipe.send_bytes(pickle.dumps(message, pickle.HIGHEST_PROTOCOL))

    running.listener = lambda: send("calls", running.counts)
    running.limit = math.inf  # it has a clock of its own
    try:
        _own_positions()
        message = "result", function()
    except BaseException as error:
        message = "raised", f"{type(error).__name__}: {error}"
    running.listener = None
    send(*message)
    _exit(0)


def _own_positions() -> None:
    """Open the files of this process once more: forks share the position in an open file."""
    import fcntl  # not on Windows

    for number in _open_files():
        if stat.S_ISREG(os.fstat(number).st_mode):
            flags = fcntl.fcntl(number, fcntl.F_GETFL) & (os.O_ACCMODE | os.O_APPEND)
            own = os.open(_SELF / "fd" / str(number), flags)
            os.lseek(own, os.lseek(number, 0, os.SEEK_CUR), os.SEEK_SET)
            os.dup2(own, number, os.get_inheritable(number))
            os.close(own)


def _open_files() -> Iterator[int]:
    for name in os.listdir(_SELF / "fd"):  # noqa: PTH208
        with suppress(OSError):
            os.fstat(int(name))
            yield int(name)


def held() -> frozenset[str]:
    """Return what a fork of this process lacks, or shares with it: by names of the system.

    These are threads, what is open and neither a file nor a device, and memory that is shared.
    """
    idle = {t.native_id for t in threading.enumerate() if looks_on(t)}
    threads = {str(number) for number in _threads() if number not in idle}
    links = (str((_SELF / "fd" / str(number)).readlink()) for number in _open_files())
    connections = {link for link in links if not link.startswith("/")}
    return frozenset(threads | connections | set(_shared_memory()))


def has_pool() -> bool:
    """Return whether a library has threads to share work among, and not by Python's own."""
    known = {os.getpid(), *(thread.native_id for thread in threading.enumerate())}
    main = _name_of(os.getpid())  # others that a library starts have names of their own
    return any(_name_of(number) == main for number in _threads() if number not in known)


def _threads() -> list[int]:
    return [int(name) for name in os.listdir(_SELF / "task")]  # noqa: PTH208


def _name_of(thread: int) -> str:
    with suppress(OSError):
        return (_SELF / "task" / str(thread) / "comm").read_text()
    return ""


def looks_on(thread: threading.Thread) -> bool:
    """Return whether a thread only shows how far others are, and is needed by none."""
    return type(thread).__module__ == "tqdm._monitor"


def _shared_memory() -> Iterator[str]:
    """Yield the memory that this process can write to, and shares with its forks."""
    for line in (_SELF / "maps").read_text().splitlines():
        place, permissions, *_, name = line.split(maxsplit=5)
        writes = "w" in permissions and permissions.endswith(_SHARED)
        if writes and not name.startswith(_SEMAPHORE):
            yield place
