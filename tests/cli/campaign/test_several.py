"""Many targets: each in a process of its own, their results in a file, their table."""

from __future__ import annotations

import time
from pathlib import Path
from shutil import copytree

import pytest

from symmetry.cli.campaign.several import Line, Work, check_all, read_lines
from tests.cli.inside import symmetry as inside
from tests.cli.process import symmetry

ZOO = """
import os, time
import numpy as np

def sound(x, y, w1, w2, lr):
    return w1 + 1, w2 + 1

def dies(x, y, w1, w2, lr):
    os._exit(3)

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
