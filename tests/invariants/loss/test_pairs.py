"""Targets that are a table already where outputs meet them."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from symmetry.invariants.loss.pairs import pairs
from tests.invariants.loss.judging import kind, measured
from tests.sound.trainings.models import numbers
from tests.sound.trainings.steps import plain


def critic(shaped):
    """Return a training whose targets are rewards and the values of another network."""

    def make():
        torch.manual_seed(0)
        model, other = nn.Linear(6, 1), nn.Linear(6, 1)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)

        def loss(i):
            states = numbers(12, 6, seed=i)
            with torch.no_grad():
                targets = shaped(numbers(12, seed=i + 1)) + 0.9 * other(states)
            return F.mse_loss(model(states), targets)

        return plain(model, optimizer, loss)

    return make


@pytest.mark.filterwarnings("ignore:Using a target size:UserWarning")
def test_rewards_that_meet_all_values_are_accused_where_they_are_added():
    found = measured(pairs, critic(lambda rewards: rewards))
    assert kind(found) == "violated"
    assert "add of outputs of shape (12, 1) and data of shape (12,)" in found.violation.message


def test_rewards_of_the_shape_of_the_values_are_not():
    found = measured(pairs, critic(lambda rewards: rewards[:, None]))
    assert found.violation is None
