"""README's examples do what README says of them."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

import symmetry
from tests.conftest import needs

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


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


CASE = (
    '{"n": 6, "i": 3, "h": 4, "c": 3, "lr": 0.5, "iterations": 2, "dtype": "float32", '
    '"data": "normals", "weights": "scaled", "seed": 0}'
)


OVERFLOWING = (
    '{"n": 1, "i": 1, "h": 2, "c": 1, "lr": 21.9, "iterations": 12, "dtype": "float32", '
    '"data": "constant", "weights": "cloned", "seed": 0}'
)


def checks_as_sound(library: str, tmp_path: Path) -> None:
    name = f"{library}_step.py"
    (tmp_path / name).write_text(block(f"# {name}\n"))
    done = run(
        "symmetry", "check", f"{name}:step", "--case", f"{CASE}\n{OVERFLOWING}", cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("clones", "permutation", "samples", "inputs", "classes"):
        assert re.search(rf"symmetry/{name} +float32 +(holds|rounding)", done.stdout)


@needs("autograd")
def test_the_step_of_autograd_is_sound(tmp_path):
    checks_as_sound("autograd", tmp_path)


@needs("flax")
def test_the_step_of_flax_is_sound(tmp_path):
    checks_as_sound("flax", tmp_path)


@needs("sklearn")
def test_the_step_of_scikit_learn_is_sound(tmp_path):
    checks_as_sound("sklearn", tmp_path)


def optional(module: str) -> pytest.MarkDecorator:
    """Skip without the library, in CI too, where it is not installed."""
    missing = importlib.util.find_spec(module) is None
    return pytest.mark.skipif(missing, reason=f"{module} is not installed")


@optional("keras")
def test_the_step_of_keras_is_sound(tmp_path, monkeypatch):
    if importlib.util.find_spec("tensorflow") is None:
        pytest.importorskip("torch")
        monkeypatch.setenv("KERAS_BACKEND", "torch")
    checks_as_sound("keras", tmp_path)


@optional("tinygrad")
def test_the_step_of_tinygrad_is_sound(tmp_path, monkeypatch):
    monkeypatch.setenv("DEV", "PYTHON")  # its other devices need a compiler or a driver
    checks_as_sound("tinygrad", tmp_path)


@needs("torch")
def test_dropout_in_the_module_is_violated(tmp_path):
    (tmp_path / "train.py").write_text(block("from_module"))
    done = run("symmetry", "check", "train.py:step", "--dtype", "float32", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    violated = re.findall(r"^(symmetry/\S+) +float32 +violated", done.stdout, re.MULTILINE)
    assert {"symmetry/clones", "symmetry/repeatable"} <= set(violated)


def test_what_it_tells_comes_first_and_fits_a_screen():
    opening = README.partition("```sh")[0]
    assert opening.count("\n") <= 25
    assert "    $ symmetry explain torch\n    torch: hidden units split" in opening
    file, number, line = re.search(r"(symmetry/\S+):(\d+)\n +(return .*)", opening).groups()
    installed = Path(symmetry.__file__).parents[1]
    assert (installed / file).read_text().splitlines()[int(number) - 1].strip() == line


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
