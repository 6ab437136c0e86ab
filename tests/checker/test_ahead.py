"""Forks do tasks ahead, each task is done once, and no fork is left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from symmetry.base import fork
from symmetry.base.processes import children
from symmetry.checker.ahead import Ahead
from tests.cli.process import INTERRUPTIBLE, environment, is_alive, symmetry

pytestmark = pytest.mark.skipif(not fork.POSSIBLE, reason="processes are forked on Linux alone")

TASKS = range(1, 9)


def _ahead(work: Callable[[int], int | None], forks: int = 1) -> Ahead[int]:
    def do(tasks: Iterator[int]) -> Iterator[tuple[int, int | None]]:
        for task in tasks:
            yield task, work(task)

    return Ahead(do, forks)


def _until_done(ahead: Ahead[int]) -> None:
    while ahead._forks:
        ahead._look(0.05)


@pytest.mark.parametrize("forks", [1, 3])
def test_forks_do_all_tasks_that_this_process_has_not_begun(forks: int) -> None:
    ahead = _ahead(lambda task: task * task, forks)
    assert ahead.result(1) is None  # it is begun here
    ahead.begin(TASKS)
    _until_done(ahead)
    assert [ahead.result(task) for task in TASKS] == [None, *(task * task for task in TASKS[1:])]
    ahead.close()


def test_a_result_is_waited_for_and_the_last_task_comes_first() -> None:
    ahead = _ahead(lambda task: time.sleep(0.2) or os.getpid())
    ahead.begin(TASKS)
    time.sleep(0.1)
    assert ahead.result(8) not in (None, os.getpid())
    assert ahead.result(1) is None
    ahead.close()


def test_without_forks_all_is_done_here() -> None:
    ahead = _ahead(lambda task: task, forks=0)
    ahead.begin(TASKS)
    assert [ahead.result(task) for task in TASKS] == [None] * len(TASKS)
    ahead.close()


def test_a_task_that_a_fork_leaves_is_done_here() -> None:
    ahead = _ahead(lambda task: None if task == 8 else task)
    ahead.begin(TASKS)
    _until_done(ahead)
    assert (ahead.result(8), ahead.result(7)) == (None, 7)
    ahead.close()


def test_the_tasks_of_a_killed_fork_are_done_here_and_none_is_begun_again() -> None:
    def work(task: int) -> int:
        if task == 6:
            os.kill(os.getpid(), signal.SIGKILL)
        return task

    before, ahead = children(), _ahead(work)
    ahead.begin(TASKS)
    _until_done(ahead)
    assert [ahead.result(task) for task in TASKS] == [None] * 6 + [7, 8]
    ahead.begin(TASKS)
    assert children() <= before
    ahead.close()


def test_a_fork_that_has_ended_is_followed_by_another() -> None:
    ahead = _ahead(lambda _: os.getpid())
    ahead.begin(TASKS[4:])
    _until_done(ahead)
    ahead.begin(TASKS)
    _until_done(ahead)
    assert len({ahead.result(task) for task in TASKS}) == 2
    ahead.close()


def test_close_ends_forks_in_the_middle_of_a_task() -> None:
    before, ahead = children(), _ahead(lambda task: time.sleep(60) or task)
    ahead.begin(TASKS)
    assert len(children() - before) == 1
    ahead.close()
    assert children() <= before
    assert ahead.result(8) is None


def test_a_fork_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fork, "SILENCE", 0.1)
    before, ahead = children(), _ahead(lambda task: time.sleep(60) or task)
    ahead.begin(TASKS)
    time.sleep(0.1)
    assert ahead.result(8) is None
    assert children() <= before
    ahead.close()


SCRIPT = """
import os, sys, time
import torch
sys.first = getattr(sys, "first", os.getpid())  # it stays in the process
os.write(2, b"begun in %d\\n" % os.getpid())
{fails}
until = time.process_time() + 0.6
while time.process_time() < until:
    pass
model = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 1))
optimizer = torch.optim.SGD(model.parameters(), 0.1)
x = torch.randn(64, 4)
for i in range(12):
    optimizer.zero_grad()
    model(x[i * 4 : i * 4 + 4]).square().mean().backward()
    optimizer.step()
    with open("log.txt", "a") as log:
        log.write(f"{{i}}")
    assert len(open("log.txt").read()) == len("".join(map(str, range(i + 1))))
{last}
"""
ON_CPU = "--device", "cuda-on-cpu"
LIVES = "if sys.first != os.getpid():\n    pass"
DIES = "if sys.first != os.getpid():\n    os.kill(os.getpid(), 9)"
NAMES = "symmetry/repeatable", "training/moves", "training/zero-rate", "training/finite", "loop/*"
NAMED = [word for name in NAMES for word in ("--only", name)]


@pytest.fixture
def checking(tmp_path: Path) -> Callable[..., list[str]]:
    """Return a function that returns the words of a check, of a script that is dear to start."""
    (tmp_path / "project").mkdir()
    (tmp_path / "temporary").mkdir()

    def words(jobs: int, fails: str = "", last: str = "") -> list[str]:
        (tmp_path / "project" / "train.py").write_text(SCRIPT.format(fails=fails, last=last))
        return ["check", "train.py", *NAMED, "--jobs", str(jobs), *ON_CPU]

    return words


def _facts(line: dict[str, Any]) -> dict[str, Any]:
    """Return what a line holds beside the time and the memory of its run."""
    return {k: v for k, v in line.items() if k not in ("brief", "cpu_seconds", "memory")}


def _left(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file()]


@pytest.mark.slow
def test_two_processes_find_what_one_finds_even_if_one_of_them_dies(checking, tmp_path):
    own = {"cwd": tmp_path / "project", "TMPDIR": str(tmp_path / "temporary")}
    last = "torch.ones(1).cuda()"  # behind the updates that most runs take
    file, results = tmp_path.parent / "found.json", []
    for jobs, fails in ((1, LIVES), (2, LIVES), (2, DIES)):
        done = symmetry(*checking(jobs, fails, last), "--line", str(file), **own)
        results.append((done, _facts(json.loads(file.read_text()))))
    one, found = results[0]
    begun = [len(set(re.findall(r"begun in (\d+)", each.err))) for each, _ in results]
    assert begun == [1, 2, 2]
    for done, found_by_two in results[1:]:
        assert (one.status, one.out) == (done.status, done.out)
        assert found == found_by_two
    assert one.status == 0
    assert "mapped: .cuda" in one.out
    assert "no seed: PyTorch" in one.out
    assert _left(tmp_path) == ["train.py"]


@pytest.mark.slow
def test_an_interrupted_check_leaves_no_fork_and_no_files(checking, tmp_path):
    process = subprocess.Popen(
        [*INTERRUPTIBLE, *checking(2)],
        cwd=tmp_path / "project",
        env=environment(TMPDIR=str(tmp_path / "temporary")),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    begun = {int(line.split()[-1]) for line in _until_two(process.stderr)}
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == 130
    assert len(begun) == 2
    assert not any(map(is_alive, begun))
    assert _left(tmp_path) == ["train.py"]


def _until_two(lines: Iterator[str]) -> Iterator[str]:
    """Yield what the script prints as it begins, up to the first line of another process."""
    seen = set()
    for line in filter(re.compile("begun in").match, lines):
        yield line
        seen.add(line)
        if len(seen) == 2:
            return
