"""The calls of a script's models: modes, batches, and what is done with the result."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from symmetry.observe.source_line import SourceLine
from symmetry.torch.script.epochs.forwards import Drift
from symmetry.training.events import Called
from tests.torch.script.epochs.helpers import run


def drift_of(model, frozen=True, training=True, change=lambda model: None):
    for parameter in model.parameters():
        parameter.requires_grad_(not frozen)
    model.train(training)
    drift, at = Drift(), SourceLine("train.py", 7)
    drift.see(model, at)
    model(torch.randn(8, 4))
    change(model)
    return drift.of(model)


def made(**facts):
    return nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4, **facts))


def test_statistics_that_move_alone_are_named_with_the_call():
    assert drift_of(made()) == (("1",), SourceLine("train.py", 7))


@pytest.mark.parametrize(
    ("model", "facts"),
    [
        (made(), {"frozen": False}),
        (made(), {"training": False}),
        (made(track_running_stats=False), {}),
        (made(affine=False), {}),  # nothing in it is frozen
        (made(), {"change": lambda model: model[1].weight.data.add_(1)}),
    ],
)
def test_statistics_that_may_move(model, facts):
    assert drift_of(model, **facts) == ((), None)


def calls(folder, text):
    return run(folder, text + "\ntrain()").of(Called)


@pytest.mark.parametrize(
    ("line", "is_used"),
    [("model(x)", False), ("z = model(x)", True), ("print(model(x).sum())", True)],
)
def test_whether_the_result_is_used(folder, line, is_used):
    assert calls(folder, f"x = torch.zeros(2, 4)\n{line}")[0].is_used is is_used


def test_inner_calls_and_losses_are_no_calls_of_models(folder):
    text = "loss = nn.MSELoss()\nloss(model(torch.zeros(2, 4)), torch.zeros(2, 3)).item()"
    first = calls(folder, text)
    assert {call.model for call in first} == {0}
    assert len(first) == 3  # and two batches of the epoch
