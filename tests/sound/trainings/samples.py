"""Models that move the axis of the samples about, or take samples together on purpose."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.sound.trainings.models import labels, numbers
from tests.sound.trainings.nearly import nearly

_ALONE = "model/samples"
_MIXED = "model/mixed-samples"


def sequences(model: nn.Module, *shape: int, classes: int = 4) -> Any:
    """Return a training of a classifier that gives its batches; the samples come first."""
    shape = shape or (6, 5, 8)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def step(batch: tuple[Tensor, Tensor]) -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(batch[0]), batch[1]).backward()
        optimizer.step()

    def batch(i: int) -> tuple[Tensor, Tensor]:
        return numbers(*shape, seed=i), labels(shape[0], classes, seed=i)

    return model, step, {"batch": batch}


@nearly("symmetry/samples")
def one_score_for_each_choice() -> Any:
    """The bias of the scores moves all chances alike: its gradient is rounding, scaled by Adam."""
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
    for layer in (model[0], model[2]):
        nn.init.normal_(
            layer.weight, std=0.02
        )  # so small that one ulp rounds no chance differently
        nn.init.zeros_(layer.bias)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)

    def step(batch: tuple[Tensor, Tensor]) -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(batch[0]).squeeze(2), batch[1]).backward()
        optimizer.step()

    def batch(i: int) -> tuple[Tensor, Tensor]:
        return numbers(16, 3, 8, seed=i), labels(16, 3, seed=i)

    return model, step, {"batch": batch}


@nearly(_ALONE)
def recurrence_over_steps_that_come_first() -> Any:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.out = nn.GRU(8, 7), nn.Linear(7, 4)

        def forward(self, x: Tensor) -> Tensor:
            hidden, _ = self.rnn(x.transpose(0, 1))
            out: Tensor = self.out(hidden[-1])
            return out

    return sequences(Recurrent())


@nearly(_ALONE, "vacuous")
def token_of_a_class_before_a_head_of_zeros() -> Any:
    """Its outputs do not depend on the samples at first."""

    class Patches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token = nn.Parameter(torch.ones(1, 1, 8))
            self.layer, self.out = nn.TransformerEncoderLayer(8, 2, 16, 0.1), nn.Linear(8, 4)
            nn.init.zeros_(self.out.weight)

        def forward(self, x: Tensor) -> Tensor:
            x = torch.cat([self.token.expand(-1, len(x), -1), x.transpose(0, 1)])
            out: Tensor = self.out(self.layer(x)[0])
            return out

    return sequences(Patches())


@nearly(_ALONE)
def as_many_steps_as_samples() -> Any:
    class Attentive(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.score, self.out = nn.Linear(8, 1), nn.Linear(8, 4)

        def forward(self, x: Tensor) -> Tensor:
            weights = self.score(x).softmax(dim=1)
            out: Tensor = self.out((weights * x).sum(1))
            return out

    return sequences(Attentive(), 6, 6, 8)


@nearly(_ALONE)
def heads_are_folded_into_the_samples() -> Any:
    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.into, self.out = nn.Linear(8, 24), nn.Linear(8, 4)

        def forward(self, x: Tensor) -> Tensor:
            n, t, _ = x.shape
            q, k, v = (
                y.reshape(n, t, 2, 4).transpose(1, 2).reshape(n * 2, t, 4)
                for y in self.into(x).chunk(3, -1)
            )
            mixed = torch.bmm((q @ k.transpose(1, 2) / math.sqrt(4)).softmax(-1), v)
            mixed = mixed.view(n, 2, t, 4).transpose(1, 2).reshape(n, t, 8)
            out: Tensor = self.out(mixed.mean(1))
            return out

    return sequences(Heads())


@nearly(_ALONE)
def frames_are_folded_into_the_samples() -> Any:
    class Frames(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.out = nn.Conv1d(2, 3, 3), nn.Linear(6, 4)

        def forward(self, x: Tensor) -> Tensor:
            n, t, _ = x.shape
            frames = self.conv(x.reshape(n * t, 2, 4))
            out: Tensor = self.out(frames.view(n, t, 6).mean(1))
            return out

    return sequences(Frames())


@nearly(_ALONE)
def compared_with_a_queue_of_earlier_codes() -> Any:
    """Each forward moves a queue, an encoder that follows another one, and a plain attribute."""

    class Contrast(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.into, self.behind, self.out = nn.Linear(8, 7), nn.Linear(8, 7), nn.Linear(19, 4)
            self.behind.requires_grad_(requires_grad=False)
            self.register_buffer("queue", numbers(12, 7, seed=9))
            self.level = torch.ones(7)

        def forward(self, x: Tensor) -> Tensor:
            x = x.mean(1)
            with torch.no_grad():
                self.behind.weight.data = 0.9 * self.behind.weight + 0.1 * self.into.weight
                codes = self.behind(x)
            hidden = torch.tanh(self.into(x)) / self.level
            out: Tensor = self.out(torch.cat([codes, hidden @ self.queue.clone().t()], 1))
            with torch.no_grad():
                self.level = 0.9 * self.level + 0.1 * codes.std(0)
                self.queue.copy_(torch.cat([codes, self.queue])[:12])
            return out

    return sequences(Contrast())


@nearly(_ALONE, "vacuous", note=_MIXED)
def deviation_over_groups_of_samples() -> Any:
    class Deviating(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.into, self.out = nn.Linear(8, 7), nn.Linear(8, 4)

        def forward(self, x: Tensor) -> Tensor:
            hidden = torch.tanh(self.into(x.mean(1)))
            groups = hidden.reshape(2, -1, 7)
            spread = groups.var(0).add(1e-8).sqrt().mean(1).repeat(2)
            out: Tensor = self.out(torch.cat([hidden, spread[:, None]], 1))
            return out

    return sequences(Deviating())


@nearly(_ALONE, "vacuous", note=_MIXED)
def rows_of_a_table_attend_to_each_other() -> Any:
    class Rows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rows = nn.MultiheadAttention(8, 2, batch_first=True)
            self.out = nn.Linear(8, 4)

        def forward(self, x: Tensor) -> Tensor:
            columns = x.transpose(0, 1)  # attention over the rows, for each column
            mixed, _ = self.rows(columns, columns, columns)
            out: Tensor = self.out(mixed.mean(0))
            return out

    return sequences(Rows())


@nearly(_ALONE, "vacuous", note=_MIXED)
def neighbours_in_a_graph() -> Any:
    class Graph(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.into, self.out = nn.Linear(8, 7), nn.Linear(7, 4)
            self.register_buffer("near", torch.eye(6).roll(1, 0) / 2 + torch.eye(6) / 2)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.out(torch.relu(self.near @ self.into(x.mean(1))))
            return out

    return sequences(Graph())


@nearly(_ALONE, "vacuous")
def instances_of_one_bag_are_pooled() -> Any:
    class Pooled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.score, self.out = nn.Linear(8, 1), nn.Linear(8, 1)

        def forward(self, x: Tensor) -> Tensor:
            x = x.mean(1)
            out: Tensor = self.out((self.score(x).softmax(0) * x).sum(0))
            return out

    model, optimizer = Pooled(), None
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def step(batch: Tensor) -> None:
        optimizer.zero_grad()
        model(batch).square().sum().backward()
        optimizer.step()

    return model, step, {"batch": lambda i: numbers(6, 5, 8, seed=i)}
