"""``--draw``: sizes of a script on the command line, and what is refused in one line."""

from __future__ import annotations

import json

import pytest

from tests.cli import inside
from tests.cli.process import assert_one_line

SCRIPT = """
import argparse

import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--hidden", type=int, default=8)
parser.add_argument("--batch-size", type=int, default=4)
given = parser.parse_args()
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, given.hidden), nn.Tanh(), nn.Linear(given.hidden, 3))
optimizer = torch.optim.SGD(model.parameters(), 0.1)
for _ in range(20):
    x, y = torch.randn(given.batch_size, 4), torch.randint(3, (given.batch_size,))
    optimizer.zero_grad()
    nn.functional.cross_entropy({output}, y).backward()
    optimizer.step()
"""
FUNCTIONS = """
from hypothesis import strategies as st

def training(): ...
def empty(hidden=st.integers(5, 1)): ...
def objects(kind=st.sampled_from([object, print])): ...
"""
TAIL = ("--", "--hidden", "{hidden}", "--batch-size", "{batch}")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "train.py").write_text(SCRIPT.format(output="model(x)"))
    (tmp_path / "squeezed.py").write_text(SCRIPT.format(output="model(x).squeeze()"))
    (tmp_path / "other.py").write_text(SCRIPT.format(output="model(x) / (1 + (len(x) > 2))"))
    (tmp_path / "functions.py").write_text(FUNCTIONS)
    return tmp_path


def test_check_names_the_smallest_size_that_raises(folder):
    only = ("--only", "training/sizes", "--examples", "2", "--line", "found.json")
    drawn = ("--draw", "hidden=1,2", "--draw", "batch=1,2")
    done = inside.symmetry("check", "squeezed.py", *only, *drawn, *TAIL, cwd=folder)
    assert done.status == 1, done
    assert "at batch=1; runs at batch=2" in " ".join(done.out.split())  # lines are wrapped
    assert "symmetry check squeezed.py -- --hidden 1 --batch-size 1" in done.out
    (found,) = json.loads((folder / "found.json").read_text())["results"]
    assert found["verdict"] == "violated"
    assert found["line"] == 17


@pytest.mark.slow
def test_compare_names_the_smallest_size_that_differs(folder):
    drawn = ("--draw", "hidden=1,2", "--draw", "batch=1,3", "--examples", "2")
    names = ("train.py", "other.py", "--dtype", "float32", "--steps", "1")
    done = inside.symmetry("compare", *names, *drawn, *TAIL, cwd=folder)
    assert done.status == 1, done
    text = " ".join(done.out.split())  # lines are wrapped
    assert "differs at batch=3, not at batch=1; smallest arguments: hidden=1 batch=3" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("train.py", "--draw", "hidden=9..1", "--", "--hidden", "{hidden}"), "an empty range"),
        (("train.py", "--draw", "hidden=a..b", "--", "--hidden", "{hidden}"), "'a' is no number"),
        (("train.py", "--draw", "hidden=1..9", "--", "--hidden", "3"), "no argument of the script"),
        (("train.py", "--draw", "hidden=1..9", *TAIL), "{batch} is not drawn: add --draw batch="),
        (("train.py", "--draw", "hidden", *TAIL), "--draw takes NAME=RANGE, not 'hidden'"),
        (("functions.py:training", "--draw", "hidden=1..9"), "--draw is for scripts"),
        (("functions.py:empty",), "hidden draws nothing"),
        (("functions.py:objects",), "cannot be typed on a command line"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line(folder, words, message):
    done = inside.symmetry("check", *words, cwd=folder)
    assert_one_line(done, message)


@pytest.mark.parametrize("option", ["--hidden", "-x"])
def test_an_option_of_the_script_belongs_behind_two_dashes(folder, option):
    done = inside.symmetry("check", "train.py", "--exact", option, "3", cwd=folder)
    assert_one_line(done, f"it follows --: symmetry check train.py --exact -- {option} 3")
    done = inside.symmetry("check", "functions.py:training", option, "3", cwd=folder)
    assert "it follows" not in done.err
