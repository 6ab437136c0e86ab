"""Trainings that compose or draw samples by their places in the batch, and are sound all the same.

Samples that are rearranged meet other partners and other random numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.sound.trainings import models
from tests.sound.trainings.models import labels, numbers
from tests.sound.trainings.nearly import nearly

_ORDER = "symmetry/samples"
_CANNOT = "vacuous"


def composed(
    loss: Callable[[nn.Module, Tensor, Tensor], Tensor], *shape: int, model: nn.Module | None = None
) -> Any:
    """Return a training of a classifier that gives its batches."""
    shape = shape or (8, 6)
    model = model or models.MLP(nn.Tanh())
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def step(batch: tuple[Tensor, Tensor]) -> None:
        optimizer.zero_grad()
        loss(model, *batch).backward()
        optimizer.step()

    def batch(i: int) -> tuple[Tensor, Tensor]:
        return numbers(*shape, seed=i), labels(shape[0], 4, seed=i)

    return model, step, {"batch": batch}


def images(loss: Callable[[nn.Module, Tensor, Tensor], Tensor]) -> Any:
    """Return a training of a classifier of images."""
    pixels = nn.Sequential(nn.Flatten(), nn.Linear(48, 9), nn.Tanh(), nn.Linear(9, 4))
    return composed(loss, 8, 3, 4, 4, model=pixels)


@nearly(_ORDER, _CANNOT)
def mixed_with_the_flipped_batch() -> Any:
    def loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        out = model(0.7 * x + 0.3 * x.flip(0))
        return 0.7 * F.cross_entropy(out, y) + 0.3 * F.cross_entropy(out, y.flip(0))

    return composed(loss, 7, 6)  # no equal pieces


@nearly(_ORDER, _CANNOT)
def mixed_with_the_next_sample() -> Any:
    def loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        hot = F.one_hot(y, 4).to(x)
        share = float(torch.distributions.Beta(0.4, 0.4).sample())
        x, hot = (share * a + (1 - share) * a.roll(1, 0) for a in (x, hot))
        return -(hot * model(x).log_softmax(1)).sum(1).mean()

    return composed(loss)


@nearly(_ORDER, _CANNOT)
def the_last_two_are_evaluated() -> Any:
    def loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        with torch.no_grad():
            assert model(x[6:]).argmax(1).shape == y[6:].shape
        return F.cross_entropy(model(x[:6]), y[:6])

    return composed(loss)


@nearly(_ORDER, _CANNOT)
def cut_out_of_the_last_but_one() -> Any:
    def loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        x, soft = x.clone(), F.one_hot(y, 4).to(x)
        x[:, :, 1:3, :2] = x.roll(2, 0)[:, :, 1:3, :2]
        return F.cross_entropy(model(x), 0.75 * soft + 0.25 * soft.roll(2, 0))

    return images(loss)


@nearly(_ORDER, _CANNOT)
def augmented_one_after_the_other() -> Any:
    def augment(image: Tensor) -> Tensor:
        moved = image.roll(int(torch.randint(0, 3, ())), -1)
        return moved.flip(-1) if torch.rand(()) < 0.5 else moved

    def loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(model(torch.stack([augment(image) for image in x])), y)

    return images(loss)


@nearly(_ORDER, _CANNOT)
def rolled_by_their_places() -> Any:
    def loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        rolled = torch.stack([image.roll(k % 3, -1) for k, image in enumerate(x)])
        return F.cross_entropy(model(rolled), y)

    return images(loss)


@nearly(_ORDER, _CANNOT)
def graph_in_a_closure() -> Any:
    near = (torch.eye(8).roll(1, 0) + torch.eye(8)) / 2

    class Graph(models.MLP):
        def forward(self, x: Tensor) -> Tensor:
            hidden = torch.tanh(near @ self.fc1(x))
            out: Tensor = self.fc3(torch.tanh(self.fc2(hidden)))
            return out

    return composed(lambda model, x, y: F.cross_entropy(model(x), y), model=Graph())


@nearly(_ORDER, _CANNOT)
def experts_with_a_capacity() -> Any:
    class Experts(nn.Module):
        """Two experts, each of which takes the first three samples that are sent to it."""

        def __init__(self) -> None:
            super().__init__()
            self.gate = nn.Linear(6, 2)
            self.experts = nn.ModuleList(nn.Linear(6, 4) for _ in range(2))

        def forward(self, x: Tensor) -> Tensor:
            gates = self.gate(x).softmax(1)
            out = torch.zeros(len(x), 4, dtype=x.dtype)
            for number, expert in enumerate(self.experts):
                sent = (gates.argmax(1) == number).nonzero().ravel()[:3]
                out = out.index_add(0, sent, expert(x[sent]) * gates[sent, number, None])
            return out

    return composed(lambda model, x, y: F.cross_entropy(model(x), y), model=Experts())


@nearly(_ORDER, _CANNOT)
def a_time_that_the_model_draws_for_each_sample() -> Any:
    class Denoiser(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.times, self.net = nn.Embedding(50, 6), models.MLP(nn.Tanh())

        def forward(self, x: Tensor) -> Tensor:
            time = torch.randint(0, 50, (len(x),))
            out: Tensor = self.net(x + torch.randn_like(x) + self.times(time))
            return out

    return composed(lambda model, x, y: F.cross_entropy(model(x), y), model=Denoiser())
