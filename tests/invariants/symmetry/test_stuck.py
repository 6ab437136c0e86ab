"""``symmetry/stuck``: what is said of a layer that is one unit."""

from __future__ import annotations

import linecache

import pytest
import torch
from torch import nn

from symmetry.finding.find import find
from symmetry.invariants.symmetry.stuck import stuck
from symmetry.training.start import TrainingStart
from symmetry.training.target import FunctionTraining
from tests.faulty.trainings import movement as broken
from tests.finding import models


def measured(make):
    target = FunctionTraining("training", make)
    return stuck(TrainingStart(target, "float64").with_units(find(target).groups))


@pytest.mark.parametrize("make", [broken.constant_init, broken.zeros_everywhere])
def test_a_layer_of_copies_is_told_in_plain_words(make):
    violation = measured(make).violation
    assert violation.message == (
        "all 9 fc1 units start with the same numbers, and nothing makes them different: "
        "they receive the same gradients, and after 4 steps they are still copies of one unit. "
        "The layer can never be more than one unit. So do fc2 units. Start its weights at random: "
        "as PyTorch does, or by nn.init.xavier_uniform_."
    )
    assert violation.group == "fc1 units"
    assert violation.file == "tests/sound/trainings/models.py"
    assert "self.fc1" in linecache.getline(violation.file, violation.line)


def test_without_an_update_nothing_is_judged():
    def make():
        model, step = models.mlp()
        for parameter in model.parameters():
            parameter.data.fill_(0.1)
        return model, step

    found = measured(make)
    assert (found.counted, found.note) == (False, "nothing moved")


class Gated(nn.Module):
    """Units that start equal, and that a comparison cuts off from the loss or does not."""

    def __init__(self, cut):
        super().__init__()
        self.cut = cut
        self.body, self.gate, self.open = nn.Linear(4, 3), nn.Linear(4, 6), nn.Linear(6, 3)
        for parameter in (*self.gate.parameters(), *self.open.parameters()):
            nn.init.constant_(parameter, 0.1)

    def forward(self, x):
        opened = self.open(torch.tanh(self.gate(x)))
        return self.body(x) * ((opened > 0.1).to(x.dtype) if self.cut else opened)


def classifying(model, optimizer):
    x = torch.randn(40, 4)

    def step(i):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), x.argmax(1) % 3).backward()
        optimizer.step()

    return model, step


def gated(cut):
    def make():
        model = Gated(cut)
        optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
        return classifying(model, optimizer)

    return make


def test_units_that_no_gradient_reaches_are_not_called_copies():
    for cut in (False, True):
        found = measured(gated(cut))
        assert found.counted
        assert (found.violation is None) == cut
        if not cut:
            assert found.violation.group == "gate units"


def test_weights_of_the_terms_of_a_loss_are_no_layer():
    """Two numbers that start equal, with equal gradients, are no copies of one unit."""

    def make():
        model, _ = models.mlp()
        model.weights = nn.Parameter(torch.zeros(2))
        optimizer = torch.optim.SGD(model.parameters(), 0.1)

        def step(i):
            optimizer.zero_grad()
            x = torch.randn(8, 3, generator=torch.Generator().manual_seed(i))
            first = next(model.parameters())
            terms = torch.stack([first.square().mean() * x.square().mean().to(first)] * 2)
            ((-model.weights).exp() * terms + model.weights).sum().backward()
            optimizer.step()

        return model, step

    assert measured(make).violation is None


class Prior(nn.Module):
    """Scores, and a part of them that a layer of zeros learns from a constant."""

    def __init__(self):
        super().__init__()
        self.body, self.prior = nn.Linear(4, 3), nn.Linear(6, 3)
        nn.init.zeros_(self.prior.weight)

    def forward(self, x):
        return self.body(x) + self.prior(torch.ones_like(x[:, :1]).expand(-1, 6))


@pytest.mark.parametrize("optimizer_of", [torch.optim.SGD, torch.optim.Adam])
def test_inputs_of_a_layer_that_are_one_constant_are_no_copies(optimizer_of):
    def make():
        model = Prior()
        optimizer = optimizer_of(model.parameters(), 0.1)
        return classifying(model, optimizer)

    assert [units.count for units in find(FunctionTraining("prior", make)).groups] == [6]
    assert measured(make).violation is None
