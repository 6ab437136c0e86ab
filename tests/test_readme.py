"""README's examples do what README says of them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import needs

README = (Path(__file__).parents[1] / "README.md").read_text()


def block(start: str) -> str:
    """Return the fenced Python block that contains a line."""
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    return next(text for text in blocks if start in text)


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


@pytest.mark.filterwarnings("default")
def test_the_step_of_ten_lines_runs_under_pytest(tmp_path):
    (tmp_path / "test_mine.py").write_text(block("def test_step"))
    done = run("pytest", "-q", "-p", "no:cacheprovider", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert re.search(r"\d passed", done.stdout)


@needs("torch")
def test_the_dropout_of_the_module_is_found_out(tmp_path):
    (tmp_path / "train.py").write_text(block("from_module"))
    done = run("symmetry", "check", "train.py:step", "--dtype", "float32", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    violated = re.findall(r"^(symmetry/\S+) +float32 +violated", done.stdout, re.MULTILINE)
    assert {"symmetry/clones", "symmetry/repeatable"} <= set(violated)


def test_the_first_two_commands_are_single_lines():
    shell = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    assert [text.count("\n") for text in shell[:2]] == [1, 1]
    assert "symmetry run" in shell[0]
    assert "pytest" in shell[1]


@needs("torch")
def test_the_training_is_caught_and_its_line_named(tmp_path):
    (tmp_path / "train.py").write_text(block("def training"))
    done = run("symmetry", "check", "train.py:training", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    violated = re.findall(r"^(\S+) +float(?:32|64) +violated", done.stdout, re.MULTILINE)
    assert violated == ["symmetry/permutation"] * 2 + ["symmetry/clones"] * 2
    fixed = block("def training").replace("[:-1]", "")
    (tmp_path / "train.py").write_text(fixed)
    done = run("symmetry", "check", "train.py:training", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
