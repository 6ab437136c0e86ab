"""The models of the hard trainings."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.sound.trainings.models import numbers


def mlp(inputs: int = 10, hidden: int = 32, outputs: int = 24) -> nn.Sequential:
    """Return two layers."""
    return nn.Sequential(nn.Linear(inputs, hidden), nn.GELU(), nn.Linear(hidden, outputs))


class Language(nn.Module):
    """A language model of two blocks."""

    def __init__(self, *, tied: bool = True, fused: bool = True, width: int = 16) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(17, width), nn.Embedding(12, width)
        self.blocks = nn.ModuleList(Block(width, fused=fused) for _ in range(2))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 17, bias=False)
        if tied:
            self.head.weight = self.tokens.weight

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.tokens(x) + self.places(torch.arange(x.shape[1]))
        for block in self.blocks:
            hidden = block(hidden)
        out: Tensor = self.head(self.norm(hidden))
        return out


class Block(nn.Module):
    """Attention by two heads, and a layer for each token."""

    def __init__(self, width: int, *, fused: bool) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.keys, self.mixed = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.fused = fused

    def forward(self, x: Tensor) -> Tensor:
        count, length, width = x.shape
        parts = self.keys(self.before(x)).chunk(3, -1)
        q, k, v = (part.view(count, length, 2, -1).transpose(1, 2) for part in parts)
        if self.fused:
            seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            scores = (q @ k.transpose(-1, -2)) / math.sqrt(q.shape[-1])
            later = torch.ones(length, length).triu(1).bool()
            seen = scores.masked_fill(later, -math.inf).softmax(-1) @ v
        x = x + self.mixed(seen.transpose(1, 2).reshape(count, length, width))
        out: Tensor = x + self.narrow(F.gelu(self.wide(self.between(x))))
        return out


class Quantised(nn.Module):
    """Weights of 4 bits, whose gradients go straight through."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(10, 16), nn.Linear(16, 24)

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.tanh(F.linear(x, _in_4_bits(self.first.weight), self.first.bias))
        return F.linear(hidden, _in_4_bits(self.second.weight), self.second.bias)


def _in_4_bits(weight: Tensor) -> Tensor:
    scale = weight.abs().max() / 7
    return weight + ((weight / scale).round().clamp(-8, 7) * scale - weight).detach()


class Binary(nn.Module):
    """Hidden units of -1 and 1, whose gradients go straight through."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(10, 16), nn.Linear(16, 24)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first(x)
        out: Tensor = self.second(hidden + (hidden.sign() - hidden).detach())
        return out


class Codebook(nn.Module):
    """An autoencoder through the nearest of 16 codes."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(10, 8), nn.Linear(8, 10)
        self.codes, self.distance = nn.Parameter(numbers(16, 8)), torch.zeros(())

    def forward(self, x: Tensor) -> Tensor:
        z = self.encoder(x)
        code = self.codes[torch.cdist(z, self.codes).argmin(1)]
        self.distance = F.mse_loss(code, z.detach()) + 0.25 * F.mse_loss(z, code.detach())
        out: Tensor = self.decoder(z + (code - z).detach())
        return out


class Recurrent(nn.Module):
    """An output for each step."""

    def __init__(self) -> None:
        super().__init__()
        self.steps, self.out = nn.LSTM(4, 12, batch_first=True), nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(self.steps(x)[0])
        return out


class Attending(nn.Module):
    """Attention, whose bias of the keys changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(12, 2, batch_first=True)
        self.out = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(self.attention(x, x, x, need_weights=False)[0].mean(1))
        return out


def clustered_distance(points: Tensor, y: Tensor) -> Tensor:
    """Return the loss of the farthest point of each class and the nearest one of another."""
    apart = torch.cdist(F.normalize(points, dim=1), F.normalize(points, dim=1))
    same = y[:, None] == y
    return F.relu((apart * same).amax(1) - apart.masked_fill(same, 9.0).amin(1) + 0.3).mean()


def normalised_views(model: Any, x: Tensor, _: Tensor) -> Tensor:
    """Return how far the outputs for two views are from being uncorrelated."""
    views = [model(x), model(x + 0.1 * x.flip(1))]
    one, other = ((v - v.mean(0)) / v.std(0) for v in views)
    correlated: Tensor = ((one.T @ other / len(one) - torch.eye(8)) ** 2).sum()
    return correlated
