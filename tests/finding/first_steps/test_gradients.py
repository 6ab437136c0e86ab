"""Entries of parameters that receive a gradient."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from symmetry.finding.first_steps.gradients import (
    ReceivedGradients,
    entries_in_any,
    take_first_steps,
)
from symmetry.training.target import FunctionTraining

FIRST, SECOND = np.array([True, False]), np.array([False, True])


def received(ends=((1, 0),), **entries):
    return ReceivedGradients(entries, {}, 1, ends)


def test_entries_are_counted():
    assert received(a=FIRST, b=FIRST).count == 2
    assert not received(a=FIRST).everywhere
    assert received(a=FIRST | SECOND).everywhere
    assert not received().everywhere


def test_the_same_entries():
    assert received(a=FIRST).has_same_entries(received(a=FIRST.copy()))
    assert not received(a=FIRST).has_same_entries(received(a=SECOND))
    assert not received(a=FIRST).has_same_entries(received(b=FIRST))


def test_entries_of_several_runs_are_united():
    union = entries_in_any(received(a=FIRST), received(a=SECOND, b=FIRST))
    assert {name: entries.tolist() for name, entries in union.items()} == {
        "a": [True, True],
        "b": [True, False],
    }
    assert entries_in_any(received(a=FIRST), received(ends=((0, 1),))) == {}
    assert entries_in_any(received(a=FIRST & SECOND)) == {}


def test_a_parameter_may_receive_its_first_gradient_in_the_second_step():

    def make():
        model = nn.ModuleList([nn.Linear(3, 2), nn.Linear(3, 2)])

        def step(i):
            x = torch.randn(4, 3, generator=torch.Generator().manual_seed(i))
            x = x.to(model[0].weight.dtype)
            loss = sum(layer(x).square().mean() for layer in model[: i + 1])
            loss.backward()

        return model, step

    gradients = take_first_steps(FunctionTraining("late", make)).gradients
    assert gradients.steps == 2
    assert gradients.everywhere
    assert gradients.at_once["model.0.weight"].all()
    assert not gradients.at_once["model.1.weight"].any()
    assert gradients.ends == [(1, 0), (1, 0)]
