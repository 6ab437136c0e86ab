"""Running statistics of frozen modules."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from symmetry.observe.source_line import SourceLine
from symmetry.torch.script.epochs.drift import Drift


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
