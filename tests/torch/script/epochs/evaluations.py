"""Functions that return ``evaluate``: sound ones, and some whose evaluation is broken."""

from __future__ import annotations

import copy

import torch
from torch import nn

from symmetry.torch.framework import register

register()


NORM = nn.BatchNorm1d(8)


def made(evaluation, norm=NORM, clears=True):
    """Return a training whose ``evaluate`` calls ``evaluation`` with the model and more."""

    def training():
        model = nn.Sequential(nn.Linear(4, 8), copy.deepcopy(norm), nn.ReLU(), nn.Linear(8, 3))
        optimizer = torch.optim.Adam(model.parameters(), 1e-2)
        generator = torch.Generator().manual_seed(3)
        x, y = torch.randn(24, 4), torch.randint(3, (24,))

        def step(i):
            if clears:
                optimizer.zero_grad()
            rows = torch.randint(24, (8,), generator=generator)
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
            if not clears:
                optimizer.zero_grad()

        def evaluate():
            evaluation(model, x, y, optimizer, generator)

        return model, step, {"evaluate": evaluate}

    return training


@torch.no_grad()
def sound(model, x, y, *_):
    model.eval()
    model(x)
    model.train()


def sound_with_random_numbers(model, x, y, optimizer, generator):
    rows = torch.randint(24, (8,), generator=generator)
    sound(model, x[rows] + 0.1 * torch.randn(8, 4), y)


def sound_on_a_copy(model, x, y, *_):
    other = copy.deepcopy(model)
    optimizer = torch.optim.SGD(other.parameters(), 0.1)
    nn.functional.cross_entropy(other.eval()(x), y).backward()
    optimizer.step()


def sound_adversary(model, x, y, *_):
    model.eval()
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(nn.functional.cross_entropy(model(x), y), x)
    with torch.no_grad():
        model(x + gradient.sign())
    model.train()


def sound_gradients_that_the_next_step_clears(model, x, y, *_):
    model.eval()
    nn.functional.cross_entropy(model(x), y).backward()
    model.train()


def sound_uncertainty(model, x, y, *_):
    model.eval()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.train()
    with torch.no_grad():
        torch.stack([model(x) for _ in range(4)]).std(0)
    model.train()


@torch.no_grad()
def left_in_evaluation_mode(model, x, y, *_):
    model.eval()
    model(x)


@torch.no_grad()
def in_training_mode(model, x, y, *_):
    model(x).argmax(1)


def leaves_gradients(model, x, y, *_):
    model.eval()
    nn.functional.cross_entropy(model(x), y).backward()
    model.train()


def takes_an_update(model, x, y, optimizer, _):
    model.eval()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
    model.train()


@torch.no_grad()
def rounds_the_weights(model, x, y, *_):
    model.eval()
    for parameter in model.parameters():
        parameter.copy_(parameter.half().float())
    model(x)
    model.train()


def restores_a_state(model, x, y, *_):
    state = {name: 0.5 * tensor for name, tensor in model.state_dict().items()}
    model.load_state_dict(state)
    sound(model, x, y)
