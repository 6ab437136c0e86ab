"""Trainings of models in which what is made of one sample depends on the others."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from tests.faulty.trainings.fault import fault
from tests.sound.trainings.samples import sequences

_LAW = "model/samples"


@fault(_LAW, wrong="an LSTM is given samples first and takes steps first")
def recurrence_over_the_samples() -> Any:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.out = nn.LSTM(8, 7), nn.Linear(7, 4)

        def forward(self, x: Tensor) -> Tensor:
            hidden, _ = self.rnn(x)
            out: Tensor = self.out(hidden[:, -1])
            return out

    return sequences(Recurrent())


@fault(_LAW, wrong="an encoder layer attends over the samples: batch_first is not set")
def attention_over_the_samples() -> Any:
    class Encoded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.out = nn.TransformerEncoderLayer(8, 2, 16, 0.1), nn.Linear(8, 4)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.out(self.layer(x).mean(1))
            return out

    return sequences(Encoded())


@fault(_LAW, wrong="the token of a class attends over the samples, so it reads no patch")
def token_of_a_class_over_the_samples() -> Any:
    class Patches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token = nn.Parameter(torch.ones(1, 1, 8))
            self.layer, self.out = nn.TransformerEncoderLayer(8, 2, 16, 0.1), nn.Linear(8, 4)

        def forward(self, x: Tensor) -> Tensor:
            x = torch.cat([self.token.expand(len(x), -1, -1), x], 1)
            out: Tensor = self.out(self.layer(x)[:, 0])
            return out

    return sequences(Patches())


@fault(_LAW, wrong="gates are a softmax over the samples instead of over the experts")
def softmax_over_the_samples() -> Any:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate, self.out = nn.Linear(8, 3), nn.Linear(8, 12)

        def forward(self, x: Tensor) -> Tensor:
            x = x.mean(1)
            gates = torch.softmax(self.gate(x), dim=0)
            return (gates[:, :, None] * self.out(x).view(-1, 3, 4)).sum(1)

    return sequences(Gated())


@fault(_LAW, wrong="a view is taken for a transposition of samples and steps")
def view_instead_of_transpose() -> Any:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.out = nn.GRU(8, 7), nn.Linear(7, 4)

        def forward(self, x: Tensor) -> Tensor:
            n, t, width = x.shape
            hidden, _ = self.rnn(x.view(t, n, width))
            out: Tensor = self.out(hidden[-1])
            return out

    return sequences(Recurrent())


@fault(_LAW, wrong="steps and features are flattened together with a neighbouring sample")
def view_of_two_samples_in_a_row() -> Any:
    class Flat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.into, self.out = nn.Linear(16, 14), nn.Linear(7, 4)

        def forward(self, x: Tensor) -> Tensor:
            hidden = torch.relu(self.into(x.mean(1).view(-1, 16)))
            out: Tensor = self.out(hidden.view(-1, 7))
            return out

    return sequences(Flat())
