"""JAX as a framework: the oldest version, and what imports it or PyTorch."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from symmetry.base.errors import SymmetryError
from symmetry.jax import framework
from tests.conftest import needs

CHECK = """
import sys, jax, symmetry
from tests.jax.sound import plain_mlp
report = symmetry.check(plain_mlp, only="symmetry/repeatable", dtype="float32")
print(report.ok, "torch" in sys.modules)
"""


def output(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_an_older_jax_is_refused_in_one_line(monkeypatch):
    monkeypatch.delitem(sys.modules, "jax", raising=False)  # what is installed counts then
    monkeypatch.setattr(metadata, "version", lambda _: "0.9.2")
    with pytest.raises(SymmetryError) as raised:
        framework.begin("train.py:training", lambda: None)
    assert str(raised.value) == (
        "JAX 0.9.2 is too old: a training needs 0.10 or newer (pip install 'unit-symmetry[jax]')"
    )


def test_the_oldest_jax_is_the_one_that_the_extra_installs():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    oldest = ".".join(map(str, framework.OLDEST))
    assert f"jax[cpu]>={oldest}" in project["project"]["optional-dependencies"]["jax"]


def test_to_register_it_does_not_import_it():
    code = "import sys, symmetry.jax.framework; print({'jax', 'numpy'} & {*sys.modules})"
    assert output(code) == "set()"


@needs("jax")
def test_a_check_imports_no_pytorch():
    assert output(CHECK) == "True False"
