"""The command line as a process of its own, the way people run it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SYMMETRY = (sys.executable, "-m", "symmetry")
# A process in the background ignores Ctrl-C, and so do those that it starts. (Popen's preexec_fn
# forks, and JAX warns of every fork once it is imported.)
_INTERRUPTIBLE = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("symmetry", run_name="__main__", alter_sys=True)
"""
INTERRUPTIBLE = (sys.executable, "-c", _INTERRUPTIBLE)


@dataclass(frozen=True)
class Finished:
    """What a process left behind."""

    status: int
    out: str
    err: str


def environment(**changes: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "NUMBA_NUM_THREADS"}
    return {**kept, "PYTHONPATH": str(Path(__file__).parents[2]), **changes}


def symmetry(
    *arguments: object, cwd: Path, command: Sequence[str] = SYMMETRY, **changes: str
) -> Finished:
    """Run ``symmetry``, or another command, with these arguments and wait for it."""
    finished = subprocess.run(
        [*command, *map(str, arguments)],
        cwd=cwd,
        env=environment(**changes),
        capture_output=True,
        text=True,
        check=False,
    )
    return Finished(finished.returncode, finished.stdout, finished.stderr)


def is_alive(number: int) -> bool:
    """Return whether a process runs: one that has ended may wait for its parent to ask for it."""
    try:
        os.kill(number, 0)
        stat = Path(f"/proc/{number}/stat")
        return not Path("/proc/self/stat").exists() or ") Z " not in stat.read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False


def assert_one_line(finished: Finished, *phrases: str) -> None:
    """Assert that a command failed with one readable line."""
    assert finished.status == 2, finished
    lines = finished.err.splitlines()
    assert len(lines) == 1, finished.err
    assert lines[0].startswith("error: ")
    assert len(lines[0]) < 600
    for phrase in phrases:
        assert phrase in lines[0]
