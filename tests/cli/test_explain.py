from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.cli.inside import symmetry
from tests.cli.process import Finished, assert_one_line

SMALL = ("--samples", "20", "--inputs", "4", "--classes", "3", "--hidden", "6", "--lr", "0.5")
CASE = {
    "n": 20,
    "i": 4,
    "h": 6,
    "c": 3,
    "lr": 0.5,
    "iterations": 2,
    "dtype": "float32",
    "data": "unit",
    "weights": "zero",
    "seed": 0,
}
STEP = """\
import numpy as np


def step(x, y, w1, w2, lr):
    w2[1:] += lr * np.float32(0.1)
    w2[4] *= np.float32(1.5)
    return w1, w2


def sound(x, y, w1, w2, lr):
    return w1 + np.float32(lr), w2 + np.float32(lr)


def single(x, y, w1, w2, lr):
    return sound(x, y, w1, w2, lr)


single.dtypes = ("float64",)


def broken(x, y, w1, w2, lr):
    raise ValueError("it does not work")
"""


@pytest.fixture
def cwd(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(STEP)
    return tmp_path


@pytest.fixture
def explain(cwd: Path) -> Callable[..., Finished]:
    return partial(symmetry, "explain", cwd=cwd)


def test_a_fault_from_a_file(cwd: Path) -> None:
    finished = symmetry(
        "explain", "mine.py:step", *SMALL, "--json", "e.json", "--script", "s.py", cwd=cwd
    )
    assert finished.err == ""
    assert finished.status == 1
    first, source, *_ = finished.out.splitlines()
    assert first == "mine.py:6 treats the hidden units differently: multiply"
    assert "after       hidden units split in step 1 (w2: unit 3 alone;" in finished.out
    assert source.strip() == "w2[4] *= np.float32(1.5)"
    assert "threads     one BLAS and OpenMP thread" in finished.out
    explanation = json.loads((cwd / "e.json").read_text())
    assert explanation["outcome"] == "explained"
    assert finished.out.endswith("wrote e.json\nwrote s.py\nwrote s.npz\n")
    script = (cwd / "s.py").read_text()
    assert script == explanation["culprits"][0]["script"]
    done = subprocess.run(
        [sys.executable, cwd / "s.py"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "alone, the result is the same as in the run: True\n"


def test_nothing_split(explain: Any) -> None:
    finished = explain("mine.py:sound", *SMALL)
    assert finished.status == 0
    assert "mine.py:sound: nothing split: in 10 steps" in finished.out


def test_a_case_as_text_and_from_a_file(explain: Any, cwd: Path) -> None:
    line = json.dumps(CASE)
    (cwd / "case.json").write_text(line + "\n")
    finished = explain("mine.py:step", "--case", line)
    assert finished.status == 1
    assert finished == explain("mine.py:step", "--case", "case.json")


def test_mnist_is_the_default(explain: Any) -> None:
    finished = explain("mine.py:step", "--samples", "3", "--hidden", "4")
    assert finished.status == 1
    assert "unit 3 alone" in finished.out or "the last 1 of 4" in finished.out
    assert "threads" not in finished.out
    assert "float32 (10,)" in finished.out


def test_the_dtype_that_the_trainer_takes(explain: Any) -> None:
    assert explain("mine.py:single", *SMALL).status == 0
    assert_one_line(
        explain("mine.py:single", *SMALL, "--dtype", "float32"), "mine.py:single takes float64 only"
    )


@pytest.mark.parametrize(
    ("arguments", "phrase"),
    [
        (["nobody"], "unknown target 'nobody'"),
        (["mine.py:nothing"], "nothing"),
        ([], "Missing argument"),
        (["mine.py:step", "--hidden", "0"], "--hidden"),
        (["mine.py:step", "--hidden", "1", "--samples", "3"], "all hidden units start different"),
        (["mine.py:step", "--lr", "-1"], "not finite and positive"),
        (["mine.py:step", "--case", "{}"], "missing key"),
        (["mine.py:step", "--case", "there-is-no-such-file"], "cannot be read: No such file"),
        (["mine.py:step", "--case", json.dumps(CASE), "--hidden", "3"], "cannot go with"),
        (["mine.py:step", "--script", "s.npz"], "its operands go into an .npz beside it"),
        (["mine.py:step", "--seed", "3"], "a seed is of generated data"),
        (["mine.py:broken", *SMALL], "ValueError: it does not work (mine.py:"),
        (["mine.py:step", *SMALL, "--json", "no/such/directory"], "cannot write"),
        (["mine.py:step", "--samples", "999999", "--inputs", "99999"], "case may have"),
    ],
)
def test_what_cannot_be_done_is_one_line(explain: Any, arguments: list[str], phrase: str) -> None:
    assert_one_line(explain(*arguments), phrase)


def test_two_cases_are_one_too_many(explain: Any, cwd: Path) -> None:
    (cwd / "cases").write_text(f"{json.dumps(CASE)}\n{json.dumps(CASE)}\n")
    found = explain("mine.py:step", "--case", "cases")
    assert_one_line(found, "one case is explained at a time, not 2")


@pytest.mark.slow
def test_a_problem_that_is_not_about_units_is_shown_with_its_law(cwd: Path) -> None:
    loop = Path(__file__).parents[1] / "faulty" / "scripts" / "loop" / "train_called_too_early.py"
    (cwd / "train.py").write_text(loop.read_text())
    finished = symmetry("explain", "train.py", cwd=cwd)
    assert finished.status == 1
    assert finished.out.startswith("train.py:")
    assert "loop/evaluation: a trained model is evaluated in evaluation mode" in finished.out
    assert "equal units" not in finished.out
