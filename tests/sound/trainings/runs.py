"""Trainings that keep, move and share something beside the optimiser, and do so rightly."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.sound.trainings import models
from tests.sound.trainings.models import labels, numbers
from tests.sound.trainings.nearly import nearly
from tests.sound.trainings.steps import classify, plain


@cache
def positions(length: int) -> Tensor:
    """Return what all runs share: it never changes."""
    return torch.linspace(-1, 1, length)


@nearly("symmetry/repeatable")
def positions_outlive_a_run() -> Any:
    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    generator = torch.Generator().manual_seed(3)

    def loss(i: int) -> Tensor:
        noise = 0.1 * torch.randn(12, 6, generator=generator)
        x = numbers(12, 6, seed=i) + positions(6) + noise
        return F.cross_entropy(model(x), labels(12, 4, seed=i))

    return plain(model, optimizer, loss)


@nearly("symmetry/clones")
def gradients_are_clipped_unit_by_unit() -> Any:
    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)

    def step(i: int) -> None:
        optimizer.zero_grad()
        classify(model, i).backward()
        for layer in (model.fc1, model.fc2):
            rows = layer.weight.grad
            rows.mul_((0.01 / (rows.norm(dim=1, keepdim=True) + 1e-6)).clamp(max=1))
        optimizer.step()

    return model, step


class _Scaled(nn.Module):
    """Outputs divided by a running mean of their size, which is saved as a buffer."""

    size: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.inner = models.MLP()
        self.register_buffer("size", torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.inner(x)
        with torch.no_grad():
            self.size.mul_(0.9).add_(0.1 * out.abs().mean())
        return out / self.size


@nearly("training/resume")
def running_mean_in_a_buffer() -> Any:
    model = _Scaled()
    return plain(model, torch.optim.SGD(model.parameters(), 0.1), lambda i: classify(model, i))


@nearly("training/zero-rate")
def decay_times_the_rate_beside_the_optimizer() -> Any:
    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def decay(*_: Any) -> None:
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(1 - 0.1 * optimizer.param_groups[0]["lr"])

    optimizer.register_step_post_hook(decay)
    return plain(model, optimizer, lambda i: classify(model, i))


@nearly("training/units")
def units_as_many_as_said() -> Any:
    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    return plain(model, optimizer, lambda i: classify(model, i))


units_as_many_as_said.expect_units = {"fc1": 9}  # type: ignore[attr-defined]


@nearly("training/gradient")
def bias_before_a_normalisation() -> Any:
    """Its derivative is zero, and what backward leaves of it is rounding."""
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 4))
    return plain(model, torch.optim.SGD(model.parameters(), 0.1), lambda i: classify(model, i))
