"""Averages of weights are found wherever they are held, and other copies are none."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from symmetry.torch.script.resuming.held import Averages


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def moved(model):
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter))


def follows(model, others, change):
    """Return whether averages are found to follow a model that moves, and what changes with it."""
    averages = Averages()
    averages.look([model], others)
    moved(model)
    change()
    return [each.follows for each in averages.look([model], others)]


def towards(tensors, model_tensors, weight=0.1):
    for mine, theirs in zip(tensors, model_tensors, strict=True):
        mine.lerp_(theirs.detach().to(mine.dtype), weight)


def test_a_dictionary_that_follows(model):
    average = {name: p.detach().clone() for name, p in model.named_parameters()}
    assert follows(model, [], lambda: towards(average.values(), model.parameters())) == [True]


def test_a_list_that_follows(model):
    average = [p.detach().clone() for p in model.parameters()]
    assert follows(model, [], lambda: towards(average, model.parameters())) == [True]


def test_a_state_dictionary_that_follows_with_its_buffers(model):
    tensors = [*model.parameters(), *model.buffers()]
    average = [t.detach().clone() for t in tensors]

    def change():
        towards(average[:-1], tensors[:-1])

    assert follows(model, [], change) == [True]


def test_a_module_that_follows(model):
    other = copy.deepcopy(model).requires_grad_(False)
    assert follows(model, [other], lambda: towards(other.parameters(), model.parameters())) == [
        True
    ]


def test_an_average_that_is_declared(model):
    assert follows(model, [AveragedModel(model)], lambda: None) == [True]


@pytest.mark.parametrize("kind", ["still", "a copy", "gradients"])
def test_another_copy_is_no_average(model, kind):
    held: dict[str, Any] = {name: p.detach().clone() for name, p in model.named_parameters()}

    def change():
        for name, parameter in model.named_parameters():
            if kind == "a copy":
                held[name].copy_(parameter.detach())
            elif kind == "gradients":
                held[name].copy_(torch.randn_like(parameter))

    assert follows(model, [], change) == [False]


def test_the_tensors_of_a_model_are_no_average_of_it(model):
    held = [p.detach() for p in model.parameters()]
    assert Averages().look([model], []) == ()
    assert len(held) == 4
