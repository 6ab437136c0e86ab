"""Targets as tests of pytest: by the option, from pyproject.toml, in parallel and again."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from xml.etree import ElementTree

import pytest

from symmetry.testing import plugin
from symmetry.testing.plugin import CheckFailed, _Result
from tests.cli.process import environment

STEPS = """
from symmetry.network.core import step as sound

def broken(x, y, w1, w2, lr):
    w1, w2 = sound(x, y, w1, w2, lr)
    w2[-1] *= 1.5
    return w1, w2
"""
TABLE = """
[tool.symmetry]
targets = ["numpy"]
only = ["symmetry/w2-rows", "symmetry/pure"]
dtype = "float32"
examples = 2
"""
TEST = "def test_own():\n    pass\n"
# A checkout whose package is on the path, and not installed, has no entry point.
INSTALLED = any(each.value == plugin.__name__ for each in entry_points(group="pytest11"))
PLUGIN = () if INSTALLED else ("-p", plugin.__name__)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(TABLE)
    (tmp_path / "steps.py").write_text(STEPS)
    (tmp_path / "test_own.py").write_text(TEST)
    return tmp_path


def run(folder: Path, *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *PLUGIN, *words],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_target_of_the_table_is_one_test(folder):
    status, out = run(folder, "--junitxml", "out.xml", "--symmetry")
    assert (status, "collected 2 items" in out, "2 passed" in out) == (0, True, True), out
    names = [case.get("name") for case in ElementTree.parse(folder / "out.xml").iter("testcase")]
    assert names == ["test_own", "symmetry"]


@pytest.mark.slow
def test_each_check_that_applies_is_a_test_and_failures_come_again(folder):
    status, out = run(folder, "-v", "--symmetry", "steps.py:broken")
    assert status == 1
    assert "steps.py:broken::symmetry/pure PASSED" in out
    assert "steps.py:broken::symmetry/w2-rows FAILED" in out
    assert "loss/pairs PASSED" not in out
    assert "SKIPPED" not in out
    assert "1 failed, 3 passed" in out  # with the whole target, and the test of its own
    status, again = run(folder, "-q", "--lf", "--symmetry", "steps.py:broken")
    assert (status, "1 failed" in again) == (1, True)
    assert "passed" not in again


@pytest.mark.slow
def test_workers_share_a_check(folder):
    status, out = run(folder, "-v", "-n", "2", "--symmetry", "steps.py:broken")
    assert (status, "1 failed, 3 passed" in out) == (1, True), out


def test_a_table_without_targets_is_an_error(tmp_path):
    status, out = run(tmp_path, "--symmetry")
    assert (status, "names no targets in [tool.symmetry]" in out) == (4, True)


@pytest.mark.slow
def test_a_target_that_is_not_there_fails(folder):
    status, out = run(folder, "-q", "--symmetry", "none.py", "test_own.py")
    assert (status, "there is no file" in out) == (1, True), out


PROBLEM = {
    "level": "violation",
    "check": "loss/inputs",
    "also": ["model/samples"],
    "file": "a.py",
    "line": 3,
    "code": "f(x)",
    "fact": "it is given probabilities",
    "likely_cause": "a softmax",
    "cure": {"text": "Give it the logits."},
    "repeat": None,
    "about": "symmetry check --about loss/inputs",
}
FOUND = {
    "problems": [PROBLEM, {**PROBLEM, "level": "note", "check": "loss/scaling", "also": []}],
    "judged": ["loss/pairs", "loss/inputs", "model/samples"],
    "not_judged": [
        {"checks": ["loop/modes"], "applies": True, "why": "the budget is spent"},
        {"checks": ["loop/copies"], "applies": False, "why": "it has none"},
    ],
}


def test_a_result_knows_which_checks_are_judged():
    found = _Result(FOUND, "")
    assert found.of("loss/inputs") is found.of("model/samples") is not None
    assert found.of("loss/scaling") is None  # a note fails nothing
    names = "loss/pairs", "loop/modes", "loop/copies", "other/law"
    assert [*map(found.why_not, names)] == [None, "the budget is spent", "", ""]


def test_a_problem_is_shown_with_its_cure():
    text = plugin._described({**PROBLEM, "cure": {"text": "Cut it."}})
    assert text.splitlines()[:2] == ["a.py:3: loss/inputs", "      f(x)"]
    assert "  cure    Cut it." in text
    assert issubclass(CheckFailed, Exception)
