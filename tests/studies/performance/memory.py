"""Peak memory of a whole process that trains; run as a program, it is that process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.studies.performance.contestants import NAMES, contestant
from tests.studies.performance.problems import images

ROOT = Path(__file__).parents[3]
THREADS = 2


def peaks(n: int, dtype: str) -> dict[str, int]:
    """Return the peak bytes of each contestant's process at 200 units.

    To be called before this process itself has grown: on Linux a child's peak starts with the size
    of the process that it was forked from. Each runs twice, since the first may have to compile.
    """
    return {name: min(peak(name, n, dtype) for _ in range(2)) for name in NAMES}


def peak(name: str, n: int, dtype: str) -> int:
    """Return the peak bytes of a process that trains for two iterations."""
    command = (sys.executable, "-m", "tests.studies.performance.memory", name, str(n), dtype)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return int(done.stdout)


def train(name: str, n: int, dtype: str) -> int:
    """Train for two iterations and return this process's peak bytes."""
    import resource  # not on Windows

    from threadpoolctl import threadpool_limits

    with threadpool_limits(THREADS, "blas"):
        advance = contestant(name, images(n), 200, dtype, THREADS)
        advance()
        advance()
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    print(train(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
