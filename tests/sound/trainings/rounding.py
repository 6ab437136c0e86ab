"""Gradients that are exactly zero, or only rounding, which an optimiser scales up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.sound.trainings.models import labels, numbers
from tests.sound.trainings.nearly import nearly


def regression(optimizer: str, loss: Callable[[Tensor, Tensor], Tensor], count: int = 8) -> Any:
    """Return a training of 24 outputs, whose biases have sums of few different numbers."""
    model = nn.Sequential(nn.Linear(10, 32), nn.GELU(), nn.Linear(32, 24))
    update = getattr(torch.optim, optimizer)(model.parameters(), 1e-3)

    def step(batch: tuple[Tensor, Tensor]) -> None:
        update.zero_grad()
        loss(model(batch[0]), batch[1]).backward()
        update.step()

    def batch(i: int) -> tuple[Tensor, Tensor]:
        return numbers(count, 10, seed=2 * i), numbers(count, 24, seed=2 * i + 1)

    return model, step, {"batch": batch}


@nearly("symmetry/samples")
def absolute_errors_that_cancel() -> Any:
    """As many errors are positive as negative: the gradient of a bias is 0, and an ulp stays so."""
    return regression("AdamW", F.l1_loss)


@nearly("symmetry/samples")
def signs_of_gradients_that_cancel() -> Any:
    return regression("Rprop", F.l1_loss)


@nearly("symmetry/samples")
def hinges_that_cancel() -> Any:
    return regression("AdamW", lambda p, y: F.relu(1 - p * y.sign()).mean())


@nearly("symmetry/samples")
def statistics_of_centred_data() -> Any:
    """The running mean of a first batch normalisation is 0, up to the order of its sum."""
    model = nn.Sequential(nn.BatchNorm1d(10), nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 5))
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)

    def step(batch: tuple[Tensor, Tensor]) -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(batch[0]), batch[1]).backward()
        optimizer.step()

    def batch(i: int) -> tuple[Tensor, Tensor]:
        x = numbers(8, 10, seed=i)
        return torch.cat([x, -x]), labels(16, 5, seed=i)

    return model, step, {"batch": batch}


class Experts(nn.Module):
    """Two of four experts, chosen by a router of zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.router, self.out = nn.Linear(8, 4, bias=False), nn.Linear(8, 5)
        nn.init.zeros_(self.router.weight)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(8, 12), nn.GELU(), nn.Linear(12, 8)) for _ in range(4)
        )

    def forward(self, x: Tensor) -> Tensor:
        weights, chosen = self.router(x).softmax(-1).topk(2, -1)
        total = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            rows, slots = (chosen == number).nonzero(as_tuple=True)
            total = total.index_add(0, rows, weights[rows, slots, None] * expert(x[rows]))
        result: Tensor = self.out(total)
        return result


@nearly("symmetry/permutation")
def router_of_zeros() -> Any:
    """All experts are equally good at first: which ones are chosen is rounding."""
    model = Experts()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)

    def step(batch: tuple[Tensor, Tensor]) -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(batch[0]), batch[1]).backward()
        optimizer.step()

    def batch(i: int) -> tuple[Tensor, Tensor]:
        return numbers(16, 8, seed=i), labels(16, 5, seed=i)

    return model, step, {"batch": batch}
