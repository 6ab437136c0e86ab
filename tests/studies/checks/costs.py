"""A command in a process of its own: its CPU and wall seconds, its memory, and what it prints."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import time
from collections.abc import Sequence
from typing import Any

LIMIT = 100  # CPU seconds, after which a command is given up
# One thread each, which waits for work without using a processor.
_ENVIRONMENT = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "OMP_WAIT_POLICY": "passive",
    "HF_HUB_OFFLINE": "1",
    "JAX_PLATFORMS": "cpu",
}


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT))


def costs_of(command: Sequence[str], *, answers: bool = True) -> dict[str, Any]:
    """Return the costs of a command, beside the last line of JSON that it prints.

    The memory is that of its largest process.
    """
    began, load = time.monotonic(), os.getloadavg()[0]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **_ENVIRONMENT},
        text=True,
        preexec_fn=_limit,
    ) as process:
        assert process.stdout is not None
        printed = process.stdout.read().splitlines()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    costs = {
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 2),
        "seconds": round(time.monotonic() - began, 1),
        "memory": used.ru_maxrss * 1024,
        "load": round(load, 1),
    }
    if process.returncode:
        return {**costs, "failed": process.returncode}
    return {**costs, **(json.loads(printed[-1]) if answers and printed else {})}
