"""The same targets on the workers of a Dask cluster, one of which dies."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from symmetry.cli.campaign.cluster import differences
from tests.cli.process import environment, symmetry
from tests.conftest import needs

ZOO = """
import os, pathlib, signal

def sound(x, y, w1, w2, lr):
    return w1 + 1, w2 + 1

def kills(x, y, w1, w2, lr):  # the worker, once: it is what has started our parent
    if not pathlib.Path("killed").exists():
        pathlib.Path("killed").touch()
        worker = pathlib.Path(f"/proc/{os.getppid()}/stat").read_text().split()[3]
        os.kill(int(worker), signal.SIGKILL)
    return w1 + 1, w2 + 1

def steps():
    for n in range(3):
        yield f"sound{n}", sound
        yield f"kills{n}", kills
"""
PURE = ("--only", "symmetry/pure", "--dtype", "float32", "--examples", 2, "--output", ".")
WRITING = ("--writable", ".")  # the steps leave files beside theirs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "zoo.py").write_text(ZOO)
    return tmp_path


@pytest.fixture
def scheduler(folder: Path) -> Iterator[str]:
    """Start a scheduler and two workers; yield the scheduler's address."""
    file = folder / "scheduler.json"
    common = ("--scheduler-file", str(file), "--no-dashboard")
    with ExitStack() as stack:
        for words in (("scheduler", "--port", "0"), *[("worker", "--nthreads", "1")] * 2):
            more = ("--no-nanny",) if words[0] == "worker" else ("--host", "127.0.0.1")
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *words, *more, *common],
                cwd=folder,
                env=environment(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            while not file.exists():
                time.sleep(0.1)
        yield json.loads(file.read_text())["address"]


@needs("distributed")
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system has no /proc")
def test_a_worker_that_dies_changes_nothing(scheduler: str, folder: Path) -> None:
    words = ("check", "zoo.py:steps", *PURE, *WRITING)
    finished = symmetry(*words, "--scheduler", scheduler, cwd=folder)
    assert finished.status == 0, finished
    assert (folder / "killed").exists()
    assert finished.out.splitlines()[-1] == "6 targets: 6 sound"
    there = (folder / "models.md").read_text().partition("\n")[2]
    assert symmetry(*words, cwd=folder).status == 0
    assert (folder / "models.md").read_text().partition("\n")[2] == there


@needs("distributed")
def test_nothing_answers(folder: Path) -> None:
    finished = symmetry("check", "zoo.py:sound", "--scheduler", "tcp://127.0.0.1:9", cwd=folder)
    assert finished.status == 2
    assert finished.err.startswith("error: no scheduler answers at tcp://127.0.0.1:9")


def test_other_versions_are_told() -> None:
    here = {"numpy": "2.0", "torch": "2.13"}
    there = {"tcp://b": {"numpy": "1.26", "torch": "2.13"}, "tcp://a": here}
    assert differences(here, there) == ["the worker tcp://b has numpy 1.26 (2.0 here)"]
