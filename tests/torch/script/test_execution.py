"""How a script is run, what is refused, and how it ends."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from symmetry.base.errors import TrainingError
from symmetry.training.run import RunSettings
from tests.faulty.trainings.scripts import FOLDER as ZOO
from tests.torch.script import scripts
from tests.torch.script.helpers import script, steps_of, written


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_script_that_catches_everything_is_left_alone_and_holds_nothing(folder, dtype):
    training = written(folder, scripts.SWALLOWS)
    run = training.begin(RunSettings(dtype=dtype))
    run.step()
    tensors = [*run.parameters.values()]
    run.close()
    assert [tensor.numel() for tensor in tensors] == [0, 0]
    other = training.begin()
    other.step()
    training.close()


MASTER_COPIES = """
import torch

model = torch.nn.Linear(4, 2).bfloat16()
copies = [p.detach().float().requires_grad_() for p in model.parameters()]
optimizer = torch.optim.SGD(copies, 0.1)
for _ in range(8):
    model.zero_grad()
    model(torch.randn(8, 4).bfloat16()).float().square().mean().backward()
    for parameter, copy in zip(model.parameters(), copies):
        copy.grad = parameter.grad.float()
    optimizer.step()
    with torch.no_grad():
        for parameter, copy in zip(model.parameters(), copies):
            parameter.copy_(copy)
"""
REPLACED_BY_HAND = """
import torch
w = torch.ones(3, requires_grad=True)
for _ in range(6):
    w.square().sum().backward()
    w = (w - 0.1 * w.grad).detach().requires_grad_()
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", "other.py: it ends, and makes no PyTorch module and calls no backward"),
        ("def make(): return 1, 2", "calls no backward; did you mean 'other.py:make'?"),
        (
            "def train(epochs): ...",
            "backward; it calls none of its functions (train): call one at its end",
        ),
        ("import sys; sys.exit(0)", "other.py: it ends, and makes no PyTorch module"),
        ("import sys; print('no data'); sys.exit(3)", "other.py: it exits with 3: no data"),
        (
            "from argparse import ArgumentParser as P; P().error('no --data')",
            "no --data; a script's arguments follow --",
        ),
        (
            "import torch; n = torch.nn.Linear(2, 1); torch.optim.SGD(n.parameters(), 1)",
            "other.py: it ends without a training forward",
        ),
        ("input()", "EOFError"),
        (scripts.REPLACED, "was a model replaced after its optimiser was made?"),
        (MASTER_COPIES, "it trains tensors in place of the parameters of the module that it calls"),
        (scripts.TRANSFORMED, "the model is only called inside torch.func"),
    ],
)
def test_what_is_no_training_is_refused_in_one_line(folder, text, message):
    with pytest.raises(TrainingError) as raised:
        written(folder, text).begin()
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_script_that_calls_methods_alone_begins_with_the_use_of_a_parameter(folder):
    training = written(folder, scripts.METHODS)
    run = training.begin()
    assert run.parameter_arrays()["model.users"].min() == 1
    run.step()
    first, *others = run.parameter_arrays()["model.users"]
    assert all(first < 1)
    assert all(other.min() == 1 for other in others)
    for _ in range(5):
        run.step()
    assert run.parameter_arrays()["model.users"].max() < 1
    with pytest.raises(TrainingError, match="it ends after 6 updates"):
        run.step()


def test_two_optimisers_of_methods_take_one_step(folder):
    more = "optimizer = torch.optim.SGD(model.parameters(), 0.1)\n"
    text = scripts.METHODS.replace(more, f"{more}    other = {more[12:]}")
    run = written(
        folder, text.replace("optimizer.step()\n", "optimizer.step(); other.step()\n")
    ).begin()
    run.step()
    assert run.parameter_arrays()["model.users"][0] == pytest.approx(1 - 2 * 0.1 * 2 / 3)


def test_what_an_optimiser_holds_without_a_module_is_the_model(folder):
    run = written(folder, scripts.OF_AN_IMAGE).begin()
    before = run.parameter_arrays()["model.tensors.image"]
    run.step()
    assert before.tolist() == [1, 1, 1]
    assert (run.parameter_arrays()["model.tensors.image"] != before).all()


def test_tensors_that_are_updated_by_hand_are_the_model(folder):
    text = (ZOO / "network_by_hand.py").read_text()
    run = written(folder, text).begin()
    before = run.parameter_arrays()
    assert {name: array.shape for name, array in before.items()} == {
        "model.W1": (12, 10),
        "model.b1": (10,),
        "model.W2": (10, 5),
    }
    run.step()
    after = run.parameter_arrays()
    assert (after["model.W2"][:-1] != before["model.W2"][:-1]).all()
    assert (after["model.W2"][-1] == before["model.W2"][-1]).all()


def test_an_update_by_hand_that_makes_new_tensors_is_refused(folder):
    run = written(folder, REPLACED_BY_HAND).begin()
    run.step()
    with pytest.raises(TrainingError, match="its update by hand makes new tensors"):
        run.step()


def test_a_step_too_many_says_how_many_there_were(folder):
    run = written(folder, scripts.ACCUMULATED).begin()
    for _ in range(6):
        run.step()
    with pytest.raises(TrainingError, match="it ends after 6 updates"):
        run.step()


def test_a_module_runs_as_python_does(folder):
    package = folder / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "network.py").write_text(scripts.NETWORK)
    (package / "train.py").write_text(scripts.PLAIN.replace("from network", "from .network"))
    training = script(module="package.train", arguments=["--epochs", "1"])
    assert training.name == "-m package.train --epochs 1"
    assert len(steps_of(training)) == 6


EXAMPLE = """
import torch
from torch import nn
from torch.utils.data import DataLoader

net = nn.Linear(2, 1)
sgd = torch.optim.SGD(net.parameters(), 0.1)
for x in DataLoader(torch.ones(4, 2), batch_size=2):
    net(x).sum().backward()
    sgd.step()
    sgd.zero_grad()
torch.save(net.state_dict(), "net.pt")
"""


def test_the_example_happens_as_it_is_told(folder):
    run = written(folder, EXAMPLE).begin()
    states = [run.state(), *run.states(2)]
    assert [*states[0]] == ["model.weight", "model.bias"]
    weights = [state["model.weight"] for state in states]
    for before, after in pairwise(weights):
        np.testing.assert_allclose(after, before - 0.2, rtol=1e-5)  # two samples, a rate of 0.1
    with pytest.raises(TrainingError, match="it ends after 2 updates"):
        run.step()
    run.close()
    assert not (folder / "net.pt").exists()
