"""Bugs that act only at some sizes, by name; each mended if it is made with ``mended``."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F


def _training(model, loss, data, after=lambda: None):
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def batch(i):
        torch.manual_seed(i)
        return data()

    def step(batch):
        optimizer.zero_grad()
        loss(*batch).backward()
        after()
        optimizer.step()

    return model, step, {"batch": batch}


def _model(hidden):
    return nn.Sequential(nn.Linear(6, hidden), nn.Tanh(), nn.Linear(hidden, 3))


def _labelled(*shape):
    return torch.randn(shape), torch.randint(3, shape[:1])


def squeeze(mended):
    """Drop the axis of a batch of one."""

    def training(hidden=st.integers(1, 32), batch=st.integers(1, 16)):
        model = nn.Sequential(_model(hidden), nn.Unflatten(1, (3, 1)))

        def loss(x, y):
            return F.cross_entropy(model(x).squeeze(2) if mended else model(x).squeeze(), y)

        return _training(model, loss, lambda: _labelled(batch, 6))

    return training


def view(mended):
    """Write the number of samples in."""

    def training(hidden=st.integers(1, 32), batch=st.integers(1, 16)):
        model = _model(hidden)

        def loss(x, y):
            return F.cross_entropy(model(x.view(len(x), -1) if mended else x.view(8, -1)), y)

        return _training(model, loss, lambda: _labelled(batch, 2, 3))

    return training


def remainder(mended):
    """Drop what is left of a size that is no multiple of four."""

    def training(hidden=st.integers(4, 32), batch=st.integers(2, 16)):
        model = _model(hidden)

        def after():
            if not mended:
                model[0].weight.grad[hidden // 4 * 4 :] = 0

        def loss(x, y):
            return F.cross_entropy(model(x), y)

        return _training(model, loss, lambda: _labelled(batch, 6), after)

    return training


class _Attentive(nn.Module):
    def __init__(self, masked: int) -> None:
        super().__init__()
        self.words, self.all, self.out = nn.Embedding(11, 8), nn.Linear(8, 24), nn.Linear(8, 11)
        self.mask = torch.full((masked, masked), float("-inf")).triu(1)

    def forward(self, words: Tensor) -> Any:
        q, k, v = self.all(self.words(words)).chunk(3, -1)
        return self.out((q @ k.transpose(1, 2) / 3.0 + self.mask).softmax(-1) @ v)


def mask(mended):
    """Build a mask for one length."""

    def training(length=st.integers(1, 16), batch=st.integers(2, 4)):
        model = _Attentive(length if mended else 11)

        def loss(x, y):
            return F.cross_entropy(model(x).flatten(0, 1), y.flatten())

        return _training(model, loss, lambda: torch.randint(11, (2, batch, length)).unbind())

    return training


def kernel(mended):
    """Let the kernel be wider than the image."""

    def training(size=st.integers(1, 12), batch=st.integers(2, 4)):
        model = nn.Sequential(
            nn.Conv2d(1, 4, 5, padding=2 if mended else 0),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(4, 3),
        )

        def loss(x, y):
            return F.cross_entropy(model(x), y)

        return _training(model, loss, lambda: _labelled(batch, 1, size, size))

    return training


BUGS = {  # by what is made: the law that finds it, and the smallest arguments that fail
    squeeze: ("training/sizes", "hidden=1 batch=1"),
    view: ("training/sizes", "hidden=1 batch=1"),
    remainder: ("symmetry/permutation", "hidden=5 batch=2"),
    mask: ("training/sizes", "length=1 batch=2"),
    kernel: ("training/sizes", "size=1 batch=2"),
}
