"""Which framework a script trains with."""

from __future__ import annotations

import pytest

from symmetry.targets.imports import files_of, framework_of


@pytest.mark.parametrize(
    ("text", "beside", "answer"),
    [
        ("import jax\n", "", "jax"),
        ("import torch\nloss.backward()\n", "", "torch"),
        ("import jax, torch\nloss.backward()\n", "", "torch"),
        ("import optax\nfrom torch.utils.data import DataLoader\n", "", "jax"),
        ("import jax\nimport lightning\n", "", "torch"),
        ("import own\n", "from flax import nnx\n", "jax"),
        ("import jax\nimport own\n", "def f(loss):\n    loss.backward()\n", "torch"),
        ("import own\n", "import own\n", "torch"),
        ("not Python", "", "torch"),
    ],
)
def test_the_framework_is_told_by_imports_and_by_backward(tmp_path, text, beside, answer):
    (file := tmp_path / "train.py").write_text(text)
    (tmp_path / "own.py").write_text(beside)
    assert framework_of(file) == answer


def test_a_file_that_is_not_there_is_of_the_first_one(tmp_path):
    assert framework_of(tmp_path / "none.py") == "torch"


def test_the_files_of_packages_and_of_relative_imports_are_followed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = {
        "pkg/__init__.py": "",
        "pkg/train.py": "from .loops.step import update\nfrom . import data\n",
        "pkg/data.py": "import pkg.far.away\n",
        "pkg/loops/__init__.py": "from ..other import *\n",
        "pkg/loops/step.py": "",
        "pkg/other.py": "import os, numpy\n",
        "pkg/far/away.py": "",
        "pkg/unused.py": "",
        "main.py": "from pkg.train import update\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(text)
    used = {*files} - {"pkg/unused.py"}
    assert {str(f) for f in files_of("-m pkg.train")} == used - {"main.py"}
    assert {str(f) for f in files_of("main.py")} == used


def test_submodules_decide_only_where_nothing_else_does(tmp_path):
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").write_text("")
    (tmp_path / "pkg" / "deep.py").write_text("import jax\n")
    (file := tmp_path / "train.py").write_text("import pkg.deep\n")
    assert framework_of(file) == "jax"
    file.write_text("import torch\nimport pkg.deep\nloss.backward()\n")
    assert framework_of(file) == "torch"
