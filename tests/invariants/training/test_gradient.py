"""``training/gradient``: differences of a loss show its slope, and rounding shows none."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from symmetry.invariants.training.gradient import gradient
from symmetry.training.start import TrainingStart
from symmetry.training.target import FunctionTraining
from tests.conftest import slow


def normalised(seed: int, wrong: float = 1.0):
    """Return a training whose normalisation takes biases away again."""

    def make():
        torch.manual_seed(seed)
        model = nn.Sequential(
            nn.Conv1d(3, 5, 3),
            nn.BatchNorm1d(5),
            nn.Tanh(),
            nn.Flatten(),
            nn.Linear(30, 6),
            nn.BatchNorm1d(6),
            nn.Tanh(),
            nn.Linear(6, 4),
        )
        model[4].weight.register_hook(lambda gradient: wrong * gradient)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)

        def step(i):
            torch.manual_seed(i)
            x, y = torch.randn(8, 3, 8), torch.randint(4, (8,))
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()

        return model, step

    return FunctionTraining("normalised", make)


def measured(training):
    return gradient(TrainingStart(training, "float64"))


@pytest.mark.parametrize("seed", [0, *map(slow, range(1, 6))])
def test_the_slope_of_a_bias_that_is_normalised_away_is_rounding(seed):
    found = measured(normalised(seed))
    assert found.counted
    assert found.violation is None


def test_a_slope_that_is_a_little_wrong_is_seen_beside_them():
    found = measured(normalised(0, wrong=1.001))
    assert found.violation is not None
    assert found.violation.array == "model.4.weight"
