"""Many targets: each in a process of its own, their results in a file, their table."""

from __future__ import annotations

import json
import time
from pathlib import Path
from shutil import copy, copytree

import pytest

from symmetry.cli.campaign.several import Line, Work, check_all, read_lines
from tests.cli.inside import symmetry as inside
from tests.cli.process import symmetry
from tests.conftest import slow

ZOO = """
import os, time
import numpy as np

def sound(x, y, w1, w2, lr):
    return w1 + 1, w2 + 1

def dies(x, y, w1, w2, lr):
    os._exit(3)

def sleeps(x, y, w1, w2, lr):
    time.sleep(1)
    return w1 + 1, w2 + 1

def grows(x, y, w1, w2, lr):
    kept = np.ones(10**8)
    time.sleep(1)
    return w1 + 1, w2 + 1

def steps():
    yield "sound", sound
    yield "dies", dies

def more():
    yield from steps()
    yield "also-sound", sound
"""
PURE = ("--only", "symmetry/pure", "--dtype", "float32", "--examples", 2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "zoo.py").write_text(ZOO)
    return tmp_path


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the results of a check of two targets."""
    path = tmp_path_factory.mktemp("checked")
    (path / "zoo.py").write_text(ZOO)
    symmetry("check", "zoo.py:steps", *PURE, "--results", "all.jsonl", "--output", ".", cwd=path)
    return path


@pytest.mark.slow
def test_a_target_that_ends_its_process_ends_no_other(folder: Path) -> None:
    finished = symmetry(
        "check", "zoo.py:more", *PURE, "--jobs", 2, "--results", "all.jsonl", cwd=folder
    )
    assert finished.status == 1, finished
    assert finished.out.splitlines()[-5:] == [
        "zoo.py:more:dies        the target does not work: look at symmetry/pure",
        "zoo.py:more:also-sound  sound",
        "zoo.py:more:sound       sound",
        "",
        "3 targets: 2 sound, 1 not",
    ]
    lines = read_lines(folder / "all.jsonl")
    assert {line["ended"] for line in lines.values()} == {"whole"}
    assert all(line["seconds"] > 0 and line["memory"] > 0 for line in lines.values())


@pytest.mark.slow
def test_a_second_run_goes_on_where_the_first_one_stopped(checked: Path, tmp_path: Path) -> None:
    folder = copytree(checked, tmp_path, dirs_exist_ok=True)
    whole = ("check", "zoo.py:steps", *PURE, "--results", "all.jsonl", "--output", ".")
    table, lines = (folder / "models.md").read_bytes(), (folder / "all.jsonl").read_text()
    first, second = lines.splitlines(keepends=True)
    (folder / "all.jsonl").write_text(first + second[:50])  # as a kill leaves it
    finished = symmetry(*whole, cwd=folder)
    assert finished.out.startswith("1 of 2 targets are in all.jsonl already\n")
    assert (folder / "models.md").read_bytes() == table
    assert len(read_lines(folder / "all.jsonl")) == 2


@pytest.mark.slow
def test_only_what_has_changed_is_shown(checked: Path, folder: Path) -> None:
    copy(checked / "all.jsonl", folder / "before.jsonl")
    (folder / "zoo.py").write_text(ZOO.replace("os._exit(3)", "return w1 + 1, w2 + 1"))
    finished = symmetry("check", "zoo.py:steps", *PURE, "--since", "before.jsonl", cwd=folder)
    assert finished.status == 0
    assert finished.out.splitlines()[-4:] == [
        "1 of 2 targets have changed since before.jsonl",
        "zoo.py:steps:dies  sound",
        "",
        "2 targets: 2 sound",
    ]


@pytest.mark.parametrize(
    ("name", "limit", "ended", "said"),
    [
        slow("sleeps", ("--time-limit", 12), "time", "within 12 seconds (--time-limit)"),
        slow("grows", ("--memory", 0.6), "memory", "within 0.6 GiB (--memory)"),
    ],
)
def test_a_limit_keeps_the_verdicts_until_then(
    name: str, limit: tuple[str, float], ended: str, said: str, folder: Path
) -> None:
    invariants = ("--only", "symmetry/pure", "--only", "symmetry/repeatable")
    arguments = (*invariants, "--dtype", "float32", "--examples", 40, "--results", "one.jsonl")
    finished = symmetry("check", f"zoo.py:{name}", *arguments, *limit, cwd=folder)
    assert finished.status == 2, finished
    assert f"not finished {said}: 0 of 2 verdicts are there" in finished.out
    line = json.loads((folder / "one.jsonl").read_text())
    assert line["ended"] == ended
    assert len(line["results"]) == 2
    assert {result["verdict"] for result in line["results"]} == {"not finished"}
    assert all(said in result["message"] for result in line["results"])


def test_what_needs_equal_units_can_be_left_out(folder: Path) -> None:
    few = ("--skip", "symmetry/w*", "--examples", 1, "--dtype", "float32")
    finished = inside("check", "zoo.py:sound", "--fast", "--verbose", *few, cwd=folder)
    assert "symmetry/pure" in finished.out
    assert "symmetry/clones" not in finished.out
    assert "symmetry/permutation" not in finished.out


def test_results_that_cannot_be_read(folder: Path) -> None:
    finished = inside("check", "zoo.py:sound", "--since", "nowhere.jsonl", *PURE, cwd=folder)
    assert finished.status == 2
    assert finished.err == "error: nowhere.jsonl cannot be read: No such file or directory\n"


def test_an_error_does_not_wait_for_the_targets_that_have_not_begun() -> None:
    begun = []

    class Counting(Work):
        def check(self, target: str) -> tuple[Line, str]:
            begun.append(target)
            time.sleep(0.001)
            return {"target": target}, ""

    def full(*_: str) -> None:
        raise OSError("no space left on device")

    targets = list(map(str, range(10_000)))
    with pytest.raises(OSError, match="no space left"):
        check_all(targets, Counting((), ""), jobs=1, results=None, scheduler=None, show=full)
    assert len(begun) < len(targets)


def test_results_that_cannot_be_written_are_refused_before_any_check(folder: Path) -> None:
    finished = inside("check", "zoo.py:steps", "--results", "nowhere/all.jsonl", *PURE, cwd=folder)
    assert finished.status == 2
    assert finished.err == ("error: cannot write nowhere/all.jsonl: nowhere is not a directory\n")
