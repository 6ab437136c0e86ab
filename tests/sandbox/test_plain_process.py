"""A plain run in a process that starts and in a fork: what it answers, and that it ends."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from symmetry.base import fork, processes
from symmetry.base.calls import running
from symmetry.base.failure import Failure, PlainRun
from symmetry.base.folders import TemporaryFolder
from symmetry.base.processes import FOLDER
from symmetry.sandbox.plain_process import PlainProcess, may_fork
from symmetry.sandbox.plain_run import PlainOrder
from symmetry.sandbox.source import Source

pytestmark = pytest.mark.skipif(not fork.POSSIBLE, reason="processes are forked on Linux")


@pytest.fixture
def file(tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    with TemporaryFolder() as temporary:
        monkeypatch.setenv(FOLDER, str(temporary))
        yield tmp_path / "work" / "train.py"


@pytest.fixture(params=[False, True], ids=["started", "forked"])
def plainly(request, file):
    def run(text: str, seconds: float = 60.0) -> PlainRun:
        file.write_text(text)
        order = PlainOrder(Source("train.py", file, ("--epochs", "1")))
        return PlainProcess(order, seconds, as_fork=request.param).result()

    return run


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ("open('made.txt', 'w').write('x')", None),
        ("import sys\nassert sys.argv[1:] == ['--epochs', '1'] and not sys.stdin.read()", None),
        ("import os\nprint('x', flush=True)\nassert not os.read(0, 1)", None),
        ("x = 1\nraise ValueError('no')", ("ValueError", "raises ValueError: no", 2)),
        ("import sys; sys.exit(3)", ("SystemExit", "exits with status 3", 1)),
    ],
)
def test_a_script_runs_and_its_failure_is_told(plainly, file, capfd, text, failure):
    assert plainly(text) == PlainRun(failure and Failure(*failure[:2], "train.py", failure[2]))
    assert [path.name for path in file.parent.iterdir()] == ["train.py"]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("text", "killed"),
    [
        ("import time; time.sleep(99)", ""),
        ("import os; os.abort()", "signal SIGABRT"),
        ("import os; os.kill(os.getpid(), 11)", "signal SIGSEGV"),
    ],
)
def test_a_run_without_an_end_has_no_failure(plainly, text, killed):
    assert plainly(text, seconds=1.0) == PlainRun(is_whole=False, killed=killed)


def test_the_processes_of_a_script_end_with_it(plainly):
    text = "import subprocess\nraise ValueError(subprocess.Popen(['sleep', '99']).pid)"
    failure = plainly(text).failure
    assert failure
    number = int(failure.text.removeprefix("raises ValueError: "))
    for _ in range(100):
        if ended(number):
            return
        time.sleep(0.05)
    raise AssertionError(f"process {number} still runs")


def ended(number: int) -> bool:
    """Return whether a process has ended; nobody may have waited for it."""
    status = Path(f"/proc/{number}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"


def test_nothing_that_a_fork_changes_is_seen_here(file):
    file.write_text("import os, sys\nos.changed = sys.changed = True\nos.environ['X'] = '1'")
    before = {*fork.held()}
    assert PlainProcess(PlainOrder(Source("train.py", file)), as_fork=True).result() == PlainRun()
    assert not hasattr(os, "changed")
    assert "X" not in os.environ
    assert {*fork.held()} == before


def test_a_fork_holds_no_pipe_of_this_process(file):
    reading, writing = os.pipe()
    file.write_text("import time; time.sleep(99)")
    process = PlainProcess(PlainOrder(Source("train.py", file)), as_fork=True)
    try:
        os.close(writing)
        os.set_blocking(reading, False)
        for _ in range(100):
            try:
                assert os.read(reading, 1) == b""
                break
            except BlockingIOError:  # the fork has only begun
                time.sleep(0.05)
        else:
            raise AssertionError("the fork can still write")
    finally:
        os.close(reading)
        process.close()


def test_without_memory_for_a_fork_a_process_starts(file, monkeypatch):
    def refused() -> int:
        raise fork.ForkError("no memory")

    monkeypatch.setattr(fork, "new_fork", refused)
    file.write_text("raise ValueError('no')")
    found = PlainProcess(PlainOrder(Source("train.py", file)), as_fork=True).result()
    assert found.failure is not None


def test_a_fork_is_plain_where_nothing_has_run(file, monkeypatch):
    file.write_text("x = 1")
    source = Source("train.py", file)
    assert not may_fork(source)  # this process was not started for a check
    monkeypatch.setattr(processes, "for_a_check", True)
    monkeypatch.setattr(fork, "has_pool", lambda: False)
    monkeypatch.setattr(running, "run", 0)
    assert may_fork(source)
    assert not may_fork(Source("train", "train"))
    monkeypatch.setattr(running, "run", 1)
    assert not may_fork(source)
    monkeypatch.setattr(running, "run", 0)
    file.write_text("import os\nos.environ['OMP_NUM_THREADS'] = '1'")
    assert not may_fork(source)
