"""Runs that differ by rounding, and numbers that nothing is meant to repeat, stop no check."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from symmetry.invariants.symmetry.repeatable import measured
from symmetry.targets.script import script
from symmetry.training.start import TrainingStart
from symmetry.training.target import FunctionTraining

SCRIPT = """
import time
import numpy as np
import torch
from torch import nn
{seed}
noise = np.random.default_rng({of_noise})
model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for x in torch.randn(10, 8, 4):
    noisy = x + 0.1 * torch.from_numpy(noise.standard_normal((8, 4))).float()
    optimizer.zero_grad()
    (model(noisy) - x.norm(dim=1, keepdim=True)).square().mean().backward()
    optimizer.step()
"""


@pytest.fixture
def of_script(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def measure(seed, of_noise=""):
        (tmp_path / "train.py").write_text(SCRIPT.format(seed=seed, of_noise=of_noise))
        target = script("train.py")
        try:
            found = measured(TrainingStart(target.training, "float32"))
            return found, target.training.facts.held_seeds
        finally:
            target.close()

    return measure


def test_a_script_that_seeds_nothing_is_told_so_and_not_accused(of_script):
    found, _ = of_script("")
    assert found.violation is None
    assert found.counted
    (text,) = found.held
    assert text.startswith("a random generator has no seed")


def test_a_generator_without_a_seed_beside_others_is_accused(of_script):
    found, _ = of_script("torch.manual_seed(0)")
    assert found.violation is not None
    assert (found.violation.file, found.violation.line) == ("train.py", 7)


def test_a_seed_of_the_clock_is_held(of_script):
    found, held = of_script("torch.manual_seed(time.time_ns())", 0)
    assert found.violation is None
    assert [*held] == ["train.py:6"]


def training(begin, update=lambda _: None):
    """Return a start of a training whose weights begin somewhere, and are changed in each step."""

    def make():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 1))
        begin(model)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)

        def step(i):
            optimizer.zero_grad()
            model(torch.linspace(-1, 1, 32).view(8, 4) + i).square().mean().backward()
            optimizer.step()
            update(model)

        return model, step

    return TrainingStart(FunctionTraining("training", make), "float32")


def scaled_by(sizes):
    def scale(model):
        with torch.no_grad():
            model[0].weight.mul_(1 + next(sizes))

    return scale


def drawn(size):
    """Scale by a few times a size, other ones in each step."""
    sizes = np.random.default_rng(0).integers(5, size=1000)
    return scaled_by(iter(size * sizes))


def test_a_start_that_differs_by_rounding_is_held():
    start = training(scaled_by(n * 2.0**-22 for n in itertools.count()))
    found = measured(start)
    assert found.violation is not None
    assert found.violation.rounding
    assert found.violation.message.startswith("model.0.weight differs by rounding at the start")
    assert np.array_equal(start.begin().state()["model.0.weight"], start.state["model.0.weight"])


def test_steps_that_differ_by_rounding_are_told():
    start = training(lambda _: None, drawn(2.0**-23))
    found = measured(start)
    assert found.violation is not None
    assert found.violation.rounding
    assert found.violation.message.startswith("two runs differ by rounding: ")


def test_a_start_or_a_step_that_differs_by_more_is_accused():
    size = 1e-3
    for start in (
        training(scaled_by(n * size for n in itertools.count())),
        training(lambda _: None, drawn(size)),
    ):
        found = measured(start)
        assert found.violation is not None
        assert not found.violation.rounding
