"""``symmetry check`` on a PyTorch training: exit status, JSON and the report."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import pytest

from tests.conftest import needs

pytestmark = needs("torch")

TRAINING = """
    import torch
    from torch import nn


    def training():
        model = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3))
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        x, y = torch.randn(8, 5), torch.randint(3, (8,))

        def step(i):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            # here
            optimizer.step()

        return model, step
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sound.py").write_text(textwrap.dedent(TRAINING))
    broken = TRAINING.replace("# here", "model[0].weight.grad[-1] = 0")
    (tmp_path / "broken.py").write_text(textwrap.dedent(broken))
    return tmp_path


def check(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "symmetry", "check", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_broken_training_is_violated_and_reported(folder):
    done = check(folder, "broken.py:training", "--json", "found.json", "--output", ".")
    assert done.returncode == 1, done.stderr
    found = json.loads((folder / "found.json").read_text())
    assert found["examples"] is None
    result = next(r for r in found["results"] if r["name"] == "symmetry/permutation")
    assert (result["case"], result["matrix"], result["verdict"]) == (None, None, "violated")
    assert (result["array"], result["iteration"], result["steps"]) == ("model.0.weight", 1, 4)
    assert result["ratio"] > result["threshold"] == 30
    assert result["command"] == (
        "symmetry check broken.py:training --only symmetry/permutation --dtype float32"
    )
    report = (folder / "training.md").read_text()
    assert "![Deviations against their limits](training.png)" in report
    assert (folder / "training.png").read_bytes().startswith(b"\x89PNG")


def test_a_sound_training_is_told_so(folder):
    done = check(folder, "sound.py:training", "--dtype", "float32", "--steps", "3")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("sound")
    assert "training/resume       float32  holds" in done.stdout


def test_a_training_has_no_cases(folder):
    case = '{"n": 1, "i": 1, "h": 2, "c": 2, "lr": 1.0, "iterations": 1, "dtype": "float32", '
    case += '"data": "zeros", "weights": "zero", "seed": 0}'
    done = check(folder, "sound.py:training", "--case", case)
    assert done.returncode == 2
    assert "is a training: it has no cases to be run" in done.stderr
