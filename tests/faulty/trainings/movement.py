"""Trainings that move nothing, what is frozen, or all units alike; and numbers that are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.faulty.trainings.fault import fault
from tests.sound.trainings import models
from tests.sound.trainings.functions import trained
from tests.sound.trainings.models import labels, numbers
from tests.sound.trainings.steps import classify, plain

_MOVES, _STUCK = "training/moves", "symmetry/stuck"
_FROZEN, _FINITE, _INPLACE = "training/frozen", "training/finite", "training/inplace"


def by(change: Callable[[Tensor, Tensor], Tensor], **rate: float) -> Any:
    """Return a training of a classifier whose loss is made of its outputs and labels."""
    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), **{"lr": 0.1, **rate})

    def loss(i: int) -> Tensor:
        return change(model(numbers(12, 6, seed=i)), labels(12, 4, seed=i))

    return plain(model, optimizer, loss)


@fault(_MOVES, wrong="the loss is a new tensor made of its number")
def loss_wrapped_again() -> Any:
    return by(lambda out, y: torch.tensor(F.cross_entropy(out, y).item(), requires_grad=True))


@fault(_MOVES, wrong="the outputs are detached, and a gradient is asked for again")
def outputs_detached() -> Any:
    return by(lambda out, y: F.cross_entropy(out.detach().requires_grad_(), y))


@fault(_MOVES, wrong="the loss counts wrong predictions, which have no derivative")
def predictions_counted() -> Any:
    def loss(out: Tensor, y: Tensor) -> Tensor:
        return (out.argmax(1) != y).float().mean().requires_grad_()

    return by(loss)


@fault(_MOVES, wrong="outputs are rounded on their way into the loss")
def outputs_rounded() -> Any:
    return by(lambda out, y: F.mse_loss(out.round(), F.one_hot(y, 4).float()))


@fault(_MOVES, wrong="the learning rate is zero")
def rate_of_zero() -> Any:
    return by(F.cross_entropy, lr=0.0)


def initialised(model: nn.Module, change: Callable[[nn.Linear], Any]) -> Any:
    """Return a training of a classifier whose linear layers start as they are changed."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            change(module)
    return trained(model)


@fault(_STUCK, wrong="all weights start at 0.01, and all biases at zero")
def constant_init() -> Any:
    def constant(layer: nn.Linear) -> None:
        nn.init.constant_(layer.weight, 0.01)
        nn.init.zeros_(layer.bias)

    return initialised(models.MLP(), constant)


@fault(_STUCK, wrong="all weights and biases start at zero")
def zeros_everywhere() -> Any:
    def zero(layer: nn.Linear) -> None:
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)

    return initialised(models.MLP(nn.Sigmoid()), zero)


@fault(_STUCK, wrong="each layer starts with ones, scaled by its fan-in")
def ones_by_fan_in() -> Any:
    def ones(layer: nn.Linear) -> None:
        nn.init.constant_(layer.weight, 1 / layer.in_features)
        nn.init.zeros_(layer.bias)

    return initialised(models.MLP(nn.Tanh()), ones)


@fault(_STUCK, wrong="each filter starts as a copy of the first one, and is summed up alike")
def filters_are_copies() -> Any:
    model = nn.Sequential(nn.Conv1d(1, 6, 3), nn.Tanh(), nn.Flatten(), nn.Linear(24, 4))
    with torch.no_grad():
        model[0].weight.copy_(model[0].weight[:1].expand_as(model[0].weight))
        model[0].bias.zero_()
        model[3].weight.copy_(model[3].weight[:, :4].repeat(1, 6))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    return plain(model, optimizer, lambda i: classify(model, i, 12, 1, 6))


def partly_frozen(**options: float) -> Any:
    """Return a training that freezes its first layer after a step, and clears with zeros."""
    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), 0.1, **options)

    def step(i: int) -> None:
        optimizer.zero_grad(set_to_none=False)
        if i == 1:
            model.fc1.requires_grad_(False)
        classify(model, i).backward()
        optimizer.step()

    return model, step


@fault(_FROZEN, wrong="momentum goes on in a layer that was frozen")
def frozen_with_momentum() -> Any:
    return partly_frozen(momentum=0.9)


@fault(_FROZEN, wrong="weight decay goes on in a layer that was frozen")
def frozen_with_decay() -> Any:
    return partly_frozen(weight_decay=0.1)


@fault(_FROZEN, wrong="Adam goes on in a layer that was frozen")
def frozen_with_adam() -> Any:
    model = models.MLP()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)

    def step(i: int) -> None:
        model.zero_grad(set_to_none=False)
        model.fc2.requires_grad_(i < 1)
        classify(model, i).backward()
        optimizer.step()

    return model, step


@fault(_FROZEN, wrong="AdamW shrinks all layers but the head, which were frozen after a step")
def frozen_with_adamw() -> Any:
    model = models.MLP()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)

    def step(i: int) -> None:
        optimizer.zero_grad(set_to_none=False)
        for layer in (model.fc1, model.fc2):
            layer.requires_grad_(i == 0)
        classify(model, i).backward()
        optimizer.step()

    return model, step


def later(change: Callable[[Tensor], Tensor]) -> Any:
    """Return a training whose third step has a gradient that is not finite, but a finite loss."""
    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def loss(i: int) -> Tensor:
        usual = classify(model, i)
        return usual + change(model.fc1.bias * 0) if i == 2 else usual

    return plain(model, optimizer, loss)


@fault(_FINITE, wrong="the derivative of a square root at zero")
def root_of_zero() -> Any:
    return later(lambda zeros: zeros.sqrt().sum())


@fault(_FINITE, wrong="the derivative of a norm to the power of a half at zero")
def power_of_zero() -> Any:
    return later(lambda zeros: zeros.abs().pow(0.5).sum())


@fault(_FINITE, wrong="torch.where hides an infinite branch from the loss, not from its derivative")
def hidden_by_where() -> Any:
    return later(lambda zeros: torch.where(zeros > 0, zeros.log(), zeros).sum())


@fault(_FINITE, wrong="the angle between equal vectors has no derivative")
def angle_between_equals() -> Any:
    return later(lambda zeros: (zeros + 1).acos().sum())


class Residual(nn.Module):
    """A block whose activation may overwrite what the shortcut adds."""

    def __init__(self, activation: nn.Module, *, before: bool = True) -> None:
        super().__init__()
        self.fc, self.activation, self.before = nn.Linear(6, 6), activation, before

    def forward(self, x: Tensor) -> Tensor:
        if self.before:
            return x + self.fc(self.activation(x))
        hidden = x - x.mean(-1, keepdim=True)
        out: Tensor = self.fc(self.activation(hidden)) + hidden
        return out


def residual(*layers: nn.Module) -> Any:
    return trained(nn.Sequential(nn.Linear(6, 6), *layers, nn.Linear(6, 4)))


@fault(_INPLACE, wrong="the shortcut adds what the activation has overwritten")
def shortcut_overwritten() -> Any:
    return residual(Residual(nn.ReLU(inplace=True)))


@fault(_INPLACE, wrong="a leaky activation overwrites what the shortcut adds")
def shortcut_overwritten_by_leaky_relu() -> Any:
    return residual(Residual(nn.LeakyReLU(0.1, inplace=True)), nn.Tanh())


@fault(_INPLACE, wrong="an activation overwrites an intermediate result that is added later")
def result_overwritten() -> Any:
    return residual(Residual(nn.ELU(inplace=True), before=False))


@fault(_INPLACE, wrong="the first of two branches overwrites the input of the second")
def branches_share_their_input() -> Any:
    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.one, self.other = nn.Linear(6, 6), nn.Linear(6, 4), nn.Linear(6, 4)
            self.activation = nn.ReLU(inplace=True)

        def forward(self, x: Tensor) -> Tensor:
            x = self.fc(x)
            out: Tensor = self.one(self.activation(x)) + self.other(x)
            return out

    return trained(Branches())
