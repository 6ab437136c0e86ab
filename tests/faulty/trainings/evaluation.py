"""Trainings of models that drop out, or write running statistics, in evaluation mode, too."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.faulty.trainings.fault import fault
from tests.sound.trainings.functions import OneLayer, trained

_LAW = "model/evaluation"


@fault(_LAW, wrong="F.dropout is not told the mode, and drops out by default")
def dropout_function_without_the_mode() -> Any:
    class Dropping(OneLayer):
        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.out(F.dropout(torch.tanh(self.fc1(x)), 0.3))
            return out

    return trained(Dropping())


@fault(_LAW, wrong="a dropout layer is made in the forward: eval() never reaches it")
def dropout_made_in_the_forward() -> Any:
    class Dropping(OneLayer):
        def forward(self, x: Tensor) -> Tensor:
            hidden = nn.Dropout(0.3)(torch.tanh(self.fc1(x)))
            out: Tensor = self.out(hidden)
            return out

    return trained(Dropping())


@fault(_LAW, wrong="dropout layers are kept in a plain list: eval() never reaches them")
def dropout_in_a_list() -> Any:
    class Listed(OneLayer):
        def __init__(self) -> None:
            super().__init__()
            self.drops = [nn.Dropout(0.1), nn.Dropout(0.2)]

        def forward(self, x: Tensor) -> Tensor:
            for drop in self.drops:
                x = drop(x)
            out: Tensor = self.out(torch.relu(self.fc1(x)))
            return out

    return trained(Listed())


@fault(_LAW, wrong="attention drops out whatever the mode")
def attention_always_drops_out() -> Any:
    class Attending(OneLayer):
        def forward(self, x: Tensor) -> Tensor:
            q = self.fc1(x).unflatten(-1, (4, 2)).unsqueeze(1)
            mixed = F.scaled_dot_product_attention(q, q, q, dropout_p=0.2)
            out: Tensor = self.out(mixed.flatten(1))
            return out

    return trained(Attending())


@fault(_LAW, wrong="batch_norm takes and writes statistics of the batch whatever the mode")
def statistics_written_in_evaluation() -> Any:
    class Normalised(OneLayer):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mean", torch.zeros(8))
            self.register_buffer("var", torch.ones(8))

        def forward(self, x: Tensor) -> Tensor:
            hidden = F.batch_norm(self.fc1(x), self.mean, self.var, training=True)
            out: Tensor = self.out(torch.relu(hidden))
            return out

    return trained(Normalised())


@fault(_LAW, wrong="blocks in a plain list hand dropout a mode that eval() never changes")
def blocks_in_a_list_stay_in_training_mode() -> Any:
    class Block(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.dropout(x, 0.2, training=self.training)

    class Listed(OneLayer):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = [Block(), Block()]

        def forward(self, x: Tensor) -> Tensor:
            for block in self.blocks:
                x = block(x)
            out: Tensor = self.out(torch.relu(self.fc1(x)))
            return out

    return trained(Listed())
