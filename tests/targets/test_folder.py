"""Scripts that train are recognised; modules and other scripts are not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from symmetry.targets.folder import left_out, training_scripts
from tests.cli.inside import symmetry
from tests.cli.process import assert_one_line

SCRIPT = """
import torch
model = torch.nn.Linear(2, 1)
for x in torch.ones(3, 2):
    model(x).sum().backward()
"""
JAX = """
import jax
for i in range(9):
    weights = step(weights, jax.grad(loss)(weights))
"""
GUARDED = """
from torch import nn

def main():
    nn.Linear(2, 1)(nn.Parameter()).backward()

if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize(
    ("text", "trains"),
    [
        (SCRIPT, True),
        (GUARDED, True),
        (GUARDED.partition("if __name__")[0], False),  # a module that another script imports
        (SCRIPT.replace("import torch", "import jax as torch"), False),
        (SCRIPT.replace(".backward()", ""), False),
        (SCRIPT.replace("import torch", "from . import torch"), False),
        ("for x in (:", False),
        (JAX, True),
        (JAX.replace("jax.grad(loss)", "print"), False),
    ],
)
def test_what_trains(text: str, trains: bool, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(text)
    assert training_scripts(tmp_path) == (("train.py",) if trains else ())


def test_a_check_without_a_name_says_what_to_type(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT)
    finished = symmetry("check", cwd=tmp_path)
    assert_one_line(finished, "name a target: symmetry check train.py")
    (tmp_path / "fit.py").write_text(GUARDED)
    finished = symmetry("check", cwd=tmp_path)
    assert_one_line(finished, "symmetry check fit.py, or symmetry check train.py")
    assert finished.out == ""


def test_without_such_a_script_the_core_is_checked(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("import torch")
    finished = symmetry("check", "--only", "*/pure", "--examples", 1, cwd=tmp_path)
    assert finished.out.startswith("numba: sound (1 check)\n")
    assert finished.err.startswith("no script in this folder trains, so numba is checked")
    named = symmetry("check", "numba", "--only", "*/pure", "--examples", 1, cwd=tmp_path)
    assert "no script" not in named.err


TRAINER = "from transformers import Trainer\ntrainer = Trainer(model)\ntrainer.train()\n"


def notebook(*cells):
    texts = [{"cell_type": "code", "source": cell} for cell in cells]
    return json.dumps({"cells": [{"cell_type": "markdown", "source": "# A title"}, *texts]})


def test_a_folder_says_which_files_it_leaves_out_and_why(tmp_path):
    files = {
        "trainer.py": TRAINER,
        "book.ipynb": notebook("import torch", "for x in y:\n    f(x).backward()"),
        "magic.ipynb": notebook("import torch", "x = 1\n!pip install torch"),
        "main.py": "from model import f\nf(1)\n",
        "helpers.py": "def f():\n    pass\n",
        "model.py": "import torch\ndef f(loss):\n    loss.backward()\n",
        "plot.py": "import torch\nprint(torch.ones(3))\n",
        "broken.py": "def (\n",
        "test_it.py": "import torch\nfor x in y:\n    x.backward()\n",
        "more/train.py": SCRIPT,
    }
    (tmp_path / "more").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert training_scripts(tmp_path) == ("book.ipynb", "trainer.py")
    found = dict(line.removeprefix(f"{tmp_path}/").split(": ", 1) for line in left_out(tmp_path))
    assert found.pop("more").startswith("a folder; to check its scripts, symmetry check ")
    assert found == {
        "magic.ipynb": "cell 3, line 2 is no Python: !pip install torch; leave it out",
        "main.py": "a file that it imports may train; to check this one, name it",
        "helpers.py": "it imports no framework that is known",
        "model.py": "it only defines functions and classes, and calls none",
        "plot.py": "it calls nothing that trains itself; to check it all the same, name it",
        "broken.py": "it is not valid Python: invalid syntax (line 1)",
        "test_it.py": "it has tests",
    }
