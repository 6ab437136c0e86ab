"""Runs the golden cases on every target and compares what they come to with the pinned bits."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.network import golden
from tests.network.golden import Case
from tests.studies.portability.targets import ROOT, Target

SHORT = (*golden.MADE, *golden.MNIST)


@dataclass
class Row:
    """What one target came to with one thread count.

    Attributes
    ----------
    machine, code
        As the worker reports them; empty if it did not get that far.
    same
        By case, in the order in which they ended: whether every bit is the pinned one.
    failure
        Why it ended early; empty if it did not.
    """

    target: Target
    threads: int
    machine: dict[str, Any] = field(default_factory=dict)
    code: dict[str, Any] = field(default_factory=dict)
    same: dict[Case, bool] = field(default_factory=dict)
    failure: str = ""

    @property
    def ran(self) -> bool:
        """Whether it could run here at all."""
        return not self.target.needs

    @property
    def is_good(self) -> bool:
        """Whether nothing differs and nothing failed."""
        return not self.failure and all(self.same.values())


def run_all(
    targets: Sequence[Target],
    on_result: Callable[[Row, Case], None],
    *,
    real: Sequence[Case] = SHORT,
    emulated: Sequence[Case] = golden.MADE,
) -> list[Row]:
    """Return a row for each target and thread count, in order.

    As many targets at a time as there are cores: nothing is timed, and compilation, the larger
    part, uses one.
    """

    def run_target(target: Target) -> list[Row]:
        cases = emulated if target.emulated else real
        return list(run(target, cases if target.fused else golden.MADE, on_result))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            return [row for rows in pool.map(run_target, targets) for row in rows]
        finally:
            pool.shutdown(cancel_futures=True)


def run(
    target: Target, cases: Sequence[Case], on_result: Callable[[Row, Case], None]
) -> Iterator[Row]:
    """Yield a row for each thread count of one target, which share a fresh cache of Numba's."""
    if target.needs:
        yield Row(target, target.threads[0])
        return
    code: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as cache:
        for threads in target.threads:
            row = Row(target, threads)
            work(row, cases, Path(cache), on_result)
            row.code = code = row.code or code  # Numba keeps no assembly in its cache
            yield row


def work(
    row: Row, cases: Sequence[Case], cache: Path, on_result: Callable[[Row, Case], None]
) -> None:
    """Fill a row from a worker's lines."""
    by_name = {case.name: case for case in cases}
    pinned = golden.pinned()
    command = (
        *row.target.command,
        "-m",
        "tests.studies.portability.worker",
        str(row.threads),
        *by_name,
    )
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=ROOT,
            env=environment(row.target, cache),
        ) as worker,
    ):
        assert worker.stdout
        for line in worker.stdout:
            found = json.loads(line)
            if "case" in found:
                case = by_name[found["case"]]
                row.same[case] = found["result"] == pinned[case.name]
                on_result(row, case)
            elif "machine" in found:
                row.machine = found
            else:
                row.code = found
        if worker.wait():
            errors.seek(0)
            last = (errors.read().strip().splitlines() or ["no word why"])[-1]
            row.failure = f"ended with {worker.returncode}: {last}"
        elif len(row.same) < len(by_name):
            row.failure = "ended before its last case"


def environment(target: Target, cache: Path) -> dict[str, str]:
    """Return a worker's environment, free of this process's own settings of Numba."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    return {**inherited, **target.environment, "NUMBA_CACHE_DIR": str(cache)}
