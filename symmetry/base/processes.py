"""Processes that this package starts: how they start, exchange messages and end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

# In the environment of a process: the folder of its temporary files, which the one removes that
# has started it.
FOLDER = "SYMMETRY_FOLDER"
# The same for the name of the terminal that is the user's standard input, and so her script's.
TERMINAL = "SYMMETRY_TERMINAL"

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # of <sys/prctl.h>
_TASKS = Path("/proc/self/task")


def command(module: str, *arguments: str) -> list[str]:
    """Return the words that run ``main()`` of a module whose package is imported here."""
    root = str(Path(sys.modules[module.partition(".")[0]].__path__[0]).parent)
    program = f"import sys; sys.path.append(sys.argv.pop(1)); from {module} import main; main()"
    return [sys.executable, "-P", "-c", program, root, *arguments]


def start(module: str, **settings: Any) -> subprocess.Popen[bytes]:
    """Start a process that calls ``main()`` of a module whose package is imported here.

    It imports the package from the same place, and takes nothing in the working directory for a
    library (``-P``). It has pipes for input and output, and a session of its own: a Ctrl-C reaches
    this process only.
    """
    variables = {**settings.pop("env", os.environ)}
    if os.isatty(0):
        variables.setdefault(TERMINAL, os.ttyname(0))
    return subprocess.Popen(
        command(module),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        env=variables,
        **settings,
    )


@contextmanager
def ends_as_interrupted() -> Iterator[None]:
    """Let SIGTERM and SIGHUP be as Ctrl-C: the processes that this one has started end with it."""
    there = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    numbers = [number for number in there if signal.getsignal(number) is signal.SIG_DFL]
    for number in numbers:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends: on Linux."""
    _set(_PR_SET_CHILD_SUBREAPER, 1)


def end_with_parent() -> None:
    """Be killed as soon as the thread ends that has started this process: on Linux."""
    _set(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _set(option: int, value: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def children() -> set[int]:
    """Return the numbers of the processes that this one is the parent of: on Linux."""
    found = set[int]()
    with suppress(OSError):
        for file in _TASKS.glob("*/children"):
            found.update(map(int, file.read_text().split()))
    return found


def end_children(but: Collection[int]) -> None:
    """End the children of this process, except some, and their orphans: on Linux."""
    seen = {*but}
    while found := children() - seen:
        seen |= found
        for number in found:
            with suppress(OSError):
                os.kill(number, signal.SIGKILL)
                os.waitpid(number, 0)


def take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Keep the pipes that are standard input and output for ourselves, and return them.

    What other code prints then goes to standard error. Its standard input is the user's terminal,
    whose size it may ask for, or empty; Python reads nothing from it.
    """
    questions, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(_terminal(), 0)
    os.dup2(2, 1)
    sys.stdin, sys.stdout = open(os.devnull), sys.stderr  # noqa: PTH123, SIM115
    return questions, answers


def _terminal() -> int:
    """Open the user's terminal, which does not become the one that controls this process."""
    with suppress(KeyError, OSError):
        return os.open(os.environ[TERMINAL], os.O_RDWR | os.O_NOCTTY)
    return os.open(os.devnull, os.O_RDWR)


def cores() -> int:
    """Return how many processors this process may use; 1 where that is not known."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


def cpu_seconds() -> float:
    """Return the CPU seconds of this process, and of its children that have ended."""
    return sum(os.times()[:4])


def tree_seconds(number: int) -> float:
    """Return the CPU seconds of a process and of those that it has started; 0 if unknown."""
    seconds = 0.0
    with suppress(OSError, ValueError, IndexError):
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
        seconds += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
        for file in Path(f"/proc/{number}/task").glob("*/children"):
            seconds += sum(map(tree_seconds, map(int, file.read_text().split())))
    return seconds


def waited(number: int) -> float:
    """Return how many seconds a process has waited for a processor; 0 if that is unknown."""
    try:
        return int(Path(f"/proc/{number}/schedstat").read_text("ascii").split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


def idle(number: int) -> float:
    """Return a clock that stands still while a process, or one that it has started, computes.

    So it does while the process waits for a processor.

    It stands still for ever where that is unknown.
    """
    if not Path(f"/proc/{number}/stat").exists():
        return 0.0
    return time.monotonic() - waited(number) - tree_seconds(number)


def ending(status: int) -> str:
    """Return how a process ended, in words: ``exit status 0`` or ``signal SIGSEGV``."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"signal {signal.Signals(-status).name}"
    except ValueError:  # a signal that has no name here
        return f"signal {-status}"
