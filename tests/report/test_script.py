from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from symmetry.base.errors import SymmetryError
from symmetry.checker.verdict import Verdict
from symmetry.invariants.catalogue import catalogue_of, select
from symmetry.law.case import Case
from symmetry.report import script
from symmetry.report.script import render_script
from symmetry.targets.resolve import resolve
from tests.checking import check

CASE = Case(3, 3, 4, 3, 0.5, 2, "float64", "unit", "scaled", 0)
LARGE = Case(40, 30, 200, 3, 0.5, 2, "float32", "unit", "cloned", 0)
STEP = """
from symmetry.network.core import step as sound

calls = 0

{body}
"""
BODIES = {
    "w1-columns": "w1[:, -1] *= 1.5",
    "w2-rows": "w2[1] *= 1.5",
    "clones": "w2[-1] += lr",
    "permutation": "w1[1:, 0] += 0.25",
    "samples": "w1[1:] += 0.25 * x[0][:, None]",
    "inputs": "w1[1] += 0.25",
    "classes": "w2[:, 0] += 0.25",
    "dead-inputs": "w1 += 0.125",
    "repeatable": "w2 += calls",
    "pure": "x[0] += 1",
    "first-step": "w2[2, 1] *= 1.0625",
    "gradient": "w1 *= 1.03125",
    "collapsed": "w2 *= 1 + (w1 != 0).any() / 32",
}


def write(folder: Path, body: str) -> str:
    """Write a module with a step; return its name."""
    code = (
        "def step(x, y, w1, w2, lr):\n"
        "    global calls\n    calls += 1\n"
        f"    w1, w2 = sound(x, y, w1, w2, lr)\n    {body}\n    return w1, w2\n"
    )
    (folder / "broken.py").write_text(STEP.format(body=code))
    return f"{folder / 'broken.py'}:step"


def verdict_of(trainer: str, name: str, case: Case = CASE) -> Verdict:
    (verdict,) = check(
        resolve(trainer), select([f"*/{name}"], kind="steps"), [case], shrinking=False
    )
    assert verdict.case is not None, verdict
    return verdict


def run(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = folder / "script.py"
    path.write_text(text)
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-W", "error", path], cwd=elsewhere, capture_output=True, text=True
    )


def test_every_invariant_has_a_script_of_its_own():
    names = {invariant.name.partition("/")[2] for invariant in catalogue_of("steps")}
    assert set(BODIES) == names


@pytest.mark.parametrize("name", BODIES)
def test_a_script_reproduces_the_failure_and_notices_when_it_is_gone(name, tmp_path):
    trainer = write(tmp_path, BODIES[name])
    verdict = verdict_of(trainer, name)
    text = render_script(trainer, verdict)
    compile(text, "script", "exec")
    finished = run(text, tmp_path)
    assert finished.returncode == 1, finished
    assert finished.stderr == ""
    assert finished.stdout.endswith("it happens again\n")
    assert len(text.splitlines()) < 90
    assert "import symmetry" not in text
    assert "from symmetry" not in text
    write(tmp_path, "pass")
    finished = run(text, tmp_path)
    assert (finished.returncode, finished.stderr) == (0, ""), finished
    assert finished.stdout.endswith("it does not happen\n")


@pytest.mark.parametrize("name", ["clones", "permutation", "dead-inputs", "gradient"])
def test_large_arrays_follow_from_the_case(name, tmp_path):
    trainer = write(tmp_path, BODIES[name])
    text = render_script(trainer, verdict_of(trainer, name, LARGE))
    assert "parse_case" in text
    assert len(text) < 5000
    finished = run(text, tmp_path)
    assert finished.returncode == 1, finished
    assert finished.stdout.endswith("it happens again\n")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise ValueError('no')", "ValueError: no"),
        ("w1 = w1[:, :1]", "w1 is (4, 1) float64, not (4, 4) float64"),
        ("w2 = w2.astype('float32')", "w2 is (5, 3) float32, not (5, 3) float64"),
    ],
)
def test_a_step_that_does_not_work(body, message, tmp_path):
    trainer = write(tmp_path, body)
    finished = run(render_script(trainer, verdict_of(trainer, "gradient")), tmp_path)
    assert finished.returncode == 1
    assert message in finished.stdout + finished.stderr


def test_a_class_is_instantiated_for_each_run(tmp_path):
    (tmp_path / "broken.py").write_text(
        "from symmetry.network.core import step\n"
        "class Holder:\n"
        "    class Step:\n"
        "        def __call__(self, x, y, w1, w2, lr):\n"
        "            w1, w2 = step(x, y, w1, w2, lr)\n"
        "            w1[:, 0] += 1\n"
        "            return w1, w2\n"
    )
    trainer = f"{tmp_path / 'broken.py'}:Holder.Step"
    finished = run(render_script(trainer, verdict_of(trainer, "w1-columns")), tmp_path)
    assert (finished.returncode, finished.stderr) == (1, "")


def test_a_file_in_a_package_keeps_its_relative_imports(tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "factor.py").write_text("FACTOR = 1.5\n")
    (package / "train.py").write_text(
        "from symmetry.network.core import step as sound\n"
        "from .factor import FACTOR\n"
        "def step(x, y, w1, w2, lr):\n"
        "    w1, w2 = sound(x, y, w1, w2, lr)\n"
        "    w2[-1] *= FACTOR\n"
        "    return w1, w2\n"
    )
    trainer = f"{package / 'train.py'}:step"
    finished = run(render_script(trainer, verdict_of(trainer, "w2-rows")), tmp_path)
    assert (finished.returncode, finished.stderr) == (1, "")


def test_a_module_is_looked_for_in_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, BODIES["w2-rows"])
    finished = run(render_script("broken:step", verdict_of("broken:step", "w2-rows")), tmp_path)
    assert (finished.returncode, finished.stderr) == (1, "")


def test_a_built_in_trainer_is_imported_from_its_module():
    verdict = verdict_of_builtin()
    text = render_script("torch-autograd", verdict)
    assert "importlib.import_module('symmetry.steps.builtin.torch_autograd').step" in text
    assert "sys.path" not in text


def verdict_of_builtin() -> Verdict:
    return Verdict("symmetry/pure", "float32", "error", case=CASE, message='it said """\\')


def test_messages_cannot_end_the_docstring():
    compile(render_script("numpy", verdict_of_builtin()), "script", "exec")


def test_what_cannot_be_imported_gets_no_script():
    with pytest.raises(SymmetryError, match="no script can import"):
        render_script("test_it:test.<locals>.step", verdict_of_builtin())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_are_written_exactly(dtype):
    bits = np.random.default_rng(0).integers(0, 2**63, 4000, dtype=np.int64)
    numbers = bits.view(dtype)
    numbers = numbers[np.isfinite(numbers)].reshape(-1, 1)
    namespace = {"np": np, "dtype": dtype}
    again = eval(script.literal(numbers), namespace)
    assert again.dtype == dtype
    assert (again == numbers).all()
    assert eval(script.literal(np.zeros((2, 3), dtype)), namespace).shape == (2, 3)
