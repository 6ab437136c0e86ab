"""Trainings whose forward makes units unequal, or leaves modules out: told, and not accused.

A forward may do so on purpose. No invariant is violated: that the units are equal is not known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from symmetry.finding.coverage import Coverage
from symmetry.report.units import without_units
from tests.sound.trainings import models
from tests.sound.trainings.steps import classify, language, plain


@dataclass(frozen=True)
class Told:
    """A broken training of which a check tells what is wrong, and accuses it of nothing.

    Attributes
    ----------
    make
        The training; its name says what is wrong.
    layer
        The layer that is named; empty if it is a module without gradient.
    says
        What is said of it, without its line.
    wrong
        What is wrong, in one sentence.
    """

    make: Callable[[], Any]
    layer: str
    says: str
    wrong: str

    @property
    def name(self) -> str:
        return self.make.__name__

    def is_told(self, coverage: Coverage) -> bool:
        """Return whether it is said of this layer, and of no other."""
        lines = without_units(coverage.without_units)
        if not self.layer:
            return not lines and coverage.without_gradient == (self.says,)
        return [*map(self._says, lines)] == [True] and not coverage.without_gradient

    def _says(self, line: str) -> bool:
        return line.startswith(f"{self.layer}: ") and line.endswith(self.says)


ENTRIES: list[Told] = []
_MULTIPLIES, _ADDS = "multiplies each by a number of its own", "adds a number of its own to each"
_TIES = "ties entries of different units (view)"


def told(layer: str, says: str, *, wrong: str) -> Callable[..., Any]:
    """Enter the decorated training into the zoo and leave it as it is."""

    def enter(make: Callable[[], Any]) -> Callable[[], Any]:
        ENTRIES.append(Told(make, layer, says, wrong))
        return make

    return enter


class Hidden(models.MLP):
    """Something is done to the first hidden layer."""

    def __init__(self, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__(nn.Tanh())
        self.change = change

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.activation(self.change(self.fc1(x)))
        out: Tensor = self.fc3(self.activation(self.fc2(hidden)))
        return out


def hidden(change: Callable[[Tensor], Tensor]) -> Any:
    model = Hidden(change)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    return plain(model, optimizer, lambda i: classify(model, i))


@told("fc1", _MULTIPLIES, wrong="a leftover of an experiment scales each unit a little more")
def units_scaled_by_linspace() -> Any:
    return hidden(lambda x: x * torch.linspace(1, 1.001, x.shape[-1]))


@told("fc1", _ADDS, wrong="the number of the unit is added to it, not that of the sample")
def numbers_of_units_added() -> Any:
    return hidden(lambda x: x + 0.01 * torch.arange(x.shape[-1]))


@told("fc1", _MULTIPLIES, wrong="a constant is one for all units but the last one")
def last_unit_scaled() -> Any:
    scale = torch.ones(9)
    scale[-1] = 1.001
    return hidden(lambda x: x * scale)


class Mixed(models.Block):
    """Heads that are transposed one way only."""

    def __init__(self, *, first: bool) -> None:
        super().__init__(6, 2)
        self.first = first

    def forward(self, x: Tensor) -> Tensor:
        b, t, c = x.shape
        parts = self.qkv(self.ln1(x)).chunk(3, -1)
        shape = (b, self.heads, t, -1) if self.first else (b, t, self.heads, -1)
        q, k, v = (part.contiguous().view(shape) for part in parts)
        if not self.first:
            q, k, v = (part.transpose(1, 2) for part in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(y.contiguous().view(b, t, c))
        out: Tensor = x + self.down(F.gelu(self.up(self.ln2(x))))
        return out


def mixed(*, first: bool) -> Any:
    model = models.GPT(1)
    model.blocks[0] = Mixed(first=first)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    return plain(model, optimizer, lambda i: language(model, i))


@told("blocks.0.qkv", _TIES, wrong="heads are not transposed: a view takes positions for them")
def heads_never_transposed() -> Any:
    return mixed(first=True)


@told("blocks.0.qkv", _TIES, wrong="heads are not transposed back before they are joined")
def heads_not_transposed_back() -> Any:
    return mixed(first=False)


@told("", "silenced", wrong="what a block computes is replaced by zeros")
def block_replaced_by_zeros() -> Any:
    class Net(models.MLP):
        def __init__(self) -> None:
            super().__init__(nn.Tanh())
            self.silenced = nn.Sequential(nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, 6))

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = super().forward(x + torch.zeros_like(self.silenced(x)))
            return out

    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    return plain(model, optimizer, lambda i: classify(model, i))
