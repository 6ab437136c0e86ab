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
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self, TypeVar

from symmetry.base.calls import running
from symmetry.base.processes import end_with_parent, idle, waited

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Result = TypeVar("Result")
SILENCE = 15.0  # seconds without a sign of life, after which a fork hangs: it lacks a thread, say
LONG = 600.0  # the same for one that is seen to compute, while this process works, too
BETWEEN = 0.5  # seconds between two looks at a silent fork
_SEMAPHORE = "/dev/shm/sem."
_SHARED = "s"  # how the permissions of shared memory end
_SELF = Path("/proc/self")
_SPARE = "jemalloc_bg_thd\n"  # a thread of the allocator of pyarrow, which a fork does without
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

    def once() -> Iterator[Result]:
        yield function()

    with Fork(once) as fork:
        result = fork.receive()
    return result, fork.seconds


class Fork(Generic[Result]):
    """A fork of this process, whose results come back one after the other.

    Leaving it as a context ends it in the middle of whatever it does.

    Parameters
    ----------
    function
        It is called in the fork, and yields the results there.
    beside
        Whether this process works meanwhile. The fork then has its own calls of user code, keeps
        standard error, and may compute in silence for longer.

    Attributes
    ----------
    seconds
        The CPU seconds that it has taken, once it is closed.
    ended
        Whether it has yielded its last result.

    Raises
    ------
    ForkError
        If memory does not suffice for two of this process.
    """

    def __init__(self, function: Callable[[], Iterator[Result]], *, beside: bool = False) -> None:
        from multiprocessing import Pipe  # it takes a while to import

        self.seconds, self.ended, self._beside = 0.0, False, beside
        self._function = function
        self._runs = running.run  # as far as it is known how many it has begun
        self._since: tuple[float, float] | None = None  # of the first look without a sign of life
        self._pipe, writing = Pipe(duplex=False)
        with writing:
            try:
                self._process = _fork()
            except ForkError:
                self._pipe.close()
                raise
            if not self._process:
                self._pipe.close()
                self._begin(writing)

    def _begin(self, pipe: Connection) -> None:
        """Begin in the fork, which ends here."""
        try:
            _be_a_fork(self._function, pipe, beside=self._beside)
        finally:
            _exit(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it."""
        if not self._pipe.closed:
            self._pipe.close()
            os.kill(self._process, signal.SIGKILL)
            used = os.wait4(self._process, 0)[2]
            self.seconds = used.ru_utime + used.ru_stime

    def receive(self) -> Result:
        """Wait for the next result.

        Raises
        ------
        ForkError
            If it ends, fails or hangs before.
        """
        while not (found := self.look(BETWEEN)):
            pass
        return found[0]

    def look(self, seconds: float = 0.0) -> tuple[Result, ...]:
        """Return the next result, if it comes within some seconds without a sign of life.

        Raises
        ------
        ForkError
            If it ends, fails or hangs before.
        """
        while self._pipe.poll(seconds):
            self._since = None
            try:
                kind, value = pickle.loads(self._pipe.recv_bytes())
            except (EOFError, ConnectionError) as error:
                raise ForkError("it has ended") from error
            except Exception as error:  # an object may lack its class here, say
                raise ForkError(f"{type(error).__name__}: {error}") from error
            if kind == "result":
                return (value,)
            if kind == "raised":
                raise ForkError(value)
            if kind == "ended":
                self.ended = True
            elif self._beside:
                begun = value.get("run", self._runs)
                running.beside, self._runs = running.beside + begun - self._runs, begun
            else:
                vars(running).update(value)
                running.report()
        self._refuse_silence()
        return ()

    def _refuse_silence(self) -> None:
        """Raise ForkError if it hangs: it has neither computed nor called, or computes for ever."""
        now = idle(self._process), time.monotonic() - waited(self._process)
        since = self._since = self._since or now
        if now[0] - since[0] > SILENCE or now[1] - since[1] > (LONG if self._beside else SILENCE):
            raise ForkError("it hangs")


class Branch(Fork[Any]):
    """A fork that goes on with the code that made it, until that ends it.

    It must not leave this code: whatever stands above it belongs to the other process.

    Parameters
    ----------
    seconds
        The CPU seconds after which it is killed.

    Attributes
    ----------
    inside
        Whether this process is the fork.
    """

    def __init__(self, seconds: float) -> None:
        self.inside, self._limit = False, seconds
        super().__init__(lambda: iter(()))

    def _begin(self, pipe: Connection) -> None:
        from multiprocessing.connection import Connection

        try:
            signal.signal(signal.SIGPROF, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_PROF, self._limit)
            self._writing = Connection(os.dup(pipe.fileno()), readable=False)
            _separate(beside=False)
            _write_nowhere(but=self._writing.fileno())
            running.listener, self.inside = None, True
        finally:
            if not self.inside:
                _exit(1)

    def end(self, result: Any) -> NoReturn:
        """Give the result to the process that this is a fork of, and end it."""
        try:
            self._writing.send_bytes(pickle.dumps(("result", result)))
        finally:
            _exit(0)


class Apart:
    """A fork of this process that is as one that ``processes.start`` starts.

    It has pipes for standard input and output, a session of its own, and no connection of this
    process. It calls a function, and ends.

    Parameters
    ----------
    main
        The function, which takes the pipes.

    Attributes
    ----------
    pid
        Its number.
    stdin, stdout
        This process's ends of the pipes.

    Raises
    ------
    ForkError
        If memory does not suffice for two of this process.
    """

    def __init__(self, main: Callable[[], None]) -> None:
        (given, questions), (answers, told) = os.pipe(), os.pipe()
        self.stdin, self.stdout = os.fdopen(questions, "wb"), os.fdopen(answers, "rb")
        self._status: int | None = None
        try:
            self.pid = _fork()
            if not self.pid:
                _begin_apart(main, given, told)
        except ForkError:
            self.stdin.close()
            self.stdout.close()
            raise
        finally:
            os.close(given)
            os.close(told)

    def poll(self) -> int | None:
        """Return how it has ended, as ``subprocess`` says it; None if it has not."""
        return self._ended(os.WNOHANG)

    def wait(self) -> int:
        """Wait for its end, and return how it has ended."""
        status = self._ended(0)
        assert status is not None
        return status

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def _ended(self, options: int) -> int | None:
        if self._status is None:
            number, status = os.waitpid(self.pid, options)
            if number:
                self._status = os.waitstatus_to_exitcode(status)
        return self._status


def _begin_apart(main: Callable[[], None], given: int, told: int) -> NoReturn:
    """Call a function in this process, which has just been forked, and end it."""
    try:
        os.setsid()
        _separate(beside=False)
        for number, own in enumerate((given, told)):
            os.dup2(own, number)
        for number in _connections().keys() - {0, 1}:
            os.close(number)
        _own_positions()
        running.listener = None
        main()
    finally:
        _exit(1)


def _write_nowhere(but: int) -> None:
    """Let nothing more be written into files that are open: they are not the fork's own."""
    import fcntl  # not on Windows

    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in {*_open_files()} - {but, nowhere}:
        flags = fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE
        if flags != os.O_RDONLY and stat.S_ISREG(os.fstat(number).st_mode):
            os.dup2(nowhere, number, os.get_inheritable(number))


def _fork() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fork beside the thread that gives signs of life
        try:
            return os.fork()
        except OSError as error:  # memory may not suffice for two of this process
            raise ForkError(str(error)) from error


def _be_a_fork(function: Callable[[], Iterator[Any]], pipe: Connection, *, beside: bool) -> None:
    """Call a function in this process, which has just been forked, and end it."""
    _separate(beside=beside)

    def send(*message: Any) -> None:
        pipe.send_bytes(pickle.dumps(message, pickle.HIGHEST_PROTOCOL))

    running.listener = lambda: send("calls", running.counts)
    try:
        _own_positions()
        for result in function():
            send("result", result)
        send("ended", None)
    except BaseException as error:
        running.listener = None
        send("raised", f"{type(error).__name__}: {error}")
    _exit(0)


def _separate(*, beside: bool) -> None:
    """Part from the process that this is a fork of, and be silent."""
    end_with_parent()
    gc.freeze()  # pages of memory are shared until something writes into them
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (1,) if beside else (1, 2):
        os.dup2(nowhere, stream)
    running.limit = math.inf  # it has a clock of its own


def _own_positions() -> None:
    """Open the files of this process once more: forks share the position in an open file.

    Standard error stays as it is: one that began to write there anew would overwrite the other's.
    """
    import fcntl  # not on Windows

    for number in {*_open_files()} - {2}:
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
    needed = (number for number in _threads() if number not in idle)
    threads = {str(number) for number in needed if _name_of(number) != _SPARE}
    return frozenset(threads | {*_connections().values()} | {*_shared_memory()})


def has_pool() -> bool:
    """Return whether a library has threads to share work among, and not by Python's own."""
    known = {os.getpid(), *(thread.native_id for thread in threading.enumerate())}
    main = _name_of(os.getpid())  # others that a library starts have names of their own
    return any(_name_of(number) == main for number in _threads() if number not in known)


def _connections() -> dict[int, str]:
    """Return what is open and neither a file nor a device: numbers, and names of the system."""
    links = {number: str((_SELF / "fd" / str(number)).readlink()) for number in _open_files()}
    return {number: link for number, link in links.items() if not link.startswith("/")}


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
