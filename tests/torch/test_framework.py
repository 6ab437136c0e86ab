"""PyTorch as a framework: the oldest version, and what imports it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch

from symmetry.base.errors import SymmetryError
from symmetry.torch import framework
from symmetry.training.target import FunctionTraining


def test_an_older_pytorch_is_refused_in_one_line(monkeypatch):
    monkeypatch.setattr(torch, "__version__", "2.5.1+cpu")
    with pytest.raises(SymmetryError) as raised:
        FunctionTraining("train.py:training", lambda: None).begin()
    assert str(raised.value) == (
        "PyTorch 2.5.1+cpu is too old: a training needs 2.6 or newer "
        "(pip install 'unit-symmetry[torch]')"
    )


def test_the_oldest_pytorch_is_the_one_that_the_extra_installs():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    extra = project["project"]["optional-dependencies"]["torch"]
    assert f"torch>={framework.OLDEST[0]}.{framework.OLDEST[1]}" in extra


def test_to_register_it_does_not_import_it():
    code = "import sys, symmetry.torch.framework; print({'torch', 'numpy'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
