"""``symmetry check`` on a PyTorch training: exit status, JSON and the report."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from textwrap import dedent

import pytest

from tests.cli.inside import symmetry
from tests.cli.process import assert_one_line

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
    (tmp_path / "sound.py").write_text(dedent(TRAINING))
    broken = TRAINING.replace("# here", "model[0].weight.grad[-1] = 0")
    (tmp_path / "broken.py").write_text(dedent(broken))
    return tmp_path


def check(folder, *arguments):
    return symmetry("check", "--verbose", *arguments, cwd=folder)


def test_neither_an_import_nor_a_step_changes_files(folder):
    writes = "open('log.txt', 'a').write('its')"
    text = dedent(TRAINING).replace("# here", writes)
    here = "import pathlib\nhere = pathlib.Path(__file__).parent\n(here / 'it').write_text('its')\n"
    (folder / "writes.py").write_text(f"{here}{text}")
    (folder / "log.txt").write_text("mine")
    names = sorted(path.name for path in folder.iterdir())
    done = check(folder, "writes.py:training", "--only", "training/moves", "--line", "found.json")
    assert done.status == 0, done
    assert (folder / "log.txt").read_text() == "mine"
    assert sorted(path.name for path in folder.iterdir()) == sorted([*names, "found.json"])


def test_a_script_is_not_imported_for_what_is_no_function(folder):
    text = dedent(TRAINING) + "model, step = training()\nfor i in range(9):\n    model.train()\n"
    (folder / "script.py").write_text(f"{text}open('ran', 'w')\n")
    assert_one_line(check(folder, "script.py:model"), "model is no function, and script.py trains")
    assert not (folder / "ran").exists()


def test_a_broken_training_is_violated_and_reported(folder):
    done = check(folder, "broken.py:training", "--line", "found.json", "--output", ".")
    assert done.status == 1, done.err
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
    assert done.status == 0, done.err
    assert done.out.splitlines()[-1].startswith("sound")
    assert "training/resume       float32  holds" in done.out


def test_a_training_has_no_cases(folder):
    case = '{"n": 1, "i": 1, "h": 2, "c": 2, "lr": 1.0, "iterations": 1, "dtype": "float32", '
    case += '"data": "zeros", "weights": "zero", "seed": 0}'
    done = check(folder, "sound.py:training", "--case", case)
    assert done.status == 2
    assert "is a training: it has no cases to be run" in done.err


SCALED = """
    import torch
    from torch import nn


    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.l1, self.l2, self.out = nn.Linear(5, 16), nn.Linear(16, 6), nn.Linear(6, 3)
            self.unused = nn.Linear(2, 2)

        def forward(self, x):
            h = torch.relu(self.l1(x))
            h = h * torch.linspace(1, 1.001, 16)
            return self.out(torch.tanh(self.l2(h)))


    def training():
        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        x, y = torch.randn(8, 5), torch.randint(3, (8,))

        def step(i):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()

        return model, step
"""
NAMED = "l1: 16 units, none equal: scaled.py:14 multiplies each by a number of its own"


def test_a_layer_without_equal_units_is_told_with_its_line(folder):
    (folder / "scaled.py").write_text(dedent(SCALED))
    only = ("--only", "symmetry/permutation", "--dtype", "float32", "--line", "found.json")
    done = check(folder, "scaled.py:training", *only)
    assert done.status == 0, done.err
    *_, silent, named, last = done.out.splitlines()
    assert (silent, named) == ("no gradient reaches unused in the first two steps", NAMED)
    assert last == "sound, but for 1 layer without equal units (1 check; verdicts: 1 holds)"
    found = json.loads((folder / "found.json").read_text())
    layer = {"module": "l1", "units": 16, "why": NAMED.rpartition(": ")[2]}
    assert found["without_units"] == [{**layer, "file": "scaled.py", "line": 14}]
    assert found["without_gradient"] == ["unused"]


def test_where_no_other_layer_has_units_the_line_is_the_reason(folder):
    alone = SCALED.replace("self.out(torch.tanh(self.l2(h)))", "self.out(h[:, :6])")
    (folder / "scaled.py").write_text(dedent(alone))
    done = check(folder, "scaled.py:training", "--only", "symmetry/permutation")
    assert done.status == 2
    assert done.err.splitlines()[-1] == (
        f"error: no equal units were checked: {NAMED}; --skip symmetry/permutation lets it pass"
    )


def test_what_libraries_warn_of_is_told_once(folder):
    odd = TRAINING.replace("nn.Linear(6, 3)", "nn.Linear(6, 1)").replace(
        "nn.functional.cross_entropy(model(x), y)", "nn.functional.mse_loss(model(x), x[:, 0])"
    )
    (folder / "odd.py").write_text(dedent(odd))
    quick = ("--dtype", "float32", "--only", "symmetry/repeatable", "--line", "found.json")
    done = check(folder, "odd.py:training", *quick)
    assert done.out.count("warning: UserWarning: Using a target size") == 1
    (text,) = json.loads((folder / "found.json").read_text())["warnings"]
    assert text.endswith("(odd.py:13)")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT")
def test_an_interrupted_check_leaves_the_verdicts_that_there_are(folder):
    command = [
        sys.executable,
        "-m",
        "symmetry",
        "check",
        "sound.py:training",
        "--line",
        "out.json",
    ]
    command.append("--verbose")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    running = subprocess.Popen(command, cwd=folder, text=True, **pipes)
    assert running.stdout is not None
    next(line for line in running.stdout if line.startswith("symmetry/repeatable"))
    running.send_signal(signal.SIGINT)
    out, _ = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "checks until it was interrupted" in out
    found = json.loads((folder / "out.json").read_text())
    assert found["complete"] is False
    kinds = {r["name"]: r["verdict"] for r in found["results"] if r["dtype"] == "float32"}
    assert kinds["symmetry/repeatable"] == "holds"
    assert "not reached" in kinds.values()


def test_an_evaluate_of_two_parameters_is_one_readable_line(folder):
    text = (folder / "sound.py").read_text()
    wrong = text.replace("model, step\n", 'model, step, {"evaluate": lambda a, b: 0}\n')
    (folder / "wrong.py").write_text(wrong)
    done = check(folder, "wrong.py:training")
    assert done.status == 2
    words = 'extras["evaluate"] must be a function that takes nothing, or the model'
    assert done.err.splitlines()[-1] == f"error: wrong.py:training: {words}"
