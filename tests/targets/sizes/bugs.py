"""Bugs that act only at some sizes, by name; each mended if it is made with ``mended``."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F


def _training(model, loss, data, after=lambda: None, rate=lambda _: 1.0):
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)

    def batch(i):
        torch.manual_seed(i)
        return data()

    def step(batch):
        optimizer.zero_grad()
        loss(*batch).backward()
        after()
        optimizer.step()
        scheduler.step()

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


def _weighed(model, x, y, size):
    """Return the mean over all samples: each window holds ``size``, the last one the rest."""
    parts = zip(x.split(size), y.split(size), strict=True)
    return sum(len(a) / len(x) * F.cross_entropy(model(a), b) for a, b in parts)


def dropped(mended):
    """Leave out the samples of an incomplete last window."""

    def training(samples=st.integers(1, 16), size=st.integers(1, 8)):
        model = _model(4)

        def loss(x, y):
            whole = len(x) // size * size if len(x) > size and not mended else len(x)
            return _weighed(model, x[:whole], y[:whole], size)

        return _training(model, loss, lambda: _labelled(samples, 6))

    return training


def means(mended):
    """Take the mean of the windows' means, though the last window is incomplete."""

    def training(samples=st.integers(1, 16), size=st.integers(1, 8)):
        model = _model(4)

        def loss(x, y):
            if mended:
                return _weighed(model, x, y, size)
            parts = zip(x.split(size), y.split(size), strict=True)
            return torch.stack([F.cross_entropy(model(a), b) for a, b in parts]).mean()

        return _training(model, loss, lambda: _labelled(samples, 6))

    return training


def warm_up(mended):
    """Divide by the number of steps of a warm-up, which may be 0."""

    def training(hidden=st.integers(1, 16), warmup=st.integers(0, 8)):
        model = _model(hidden)
        length = max(warmup, 1) if mended else warmup

        def loss(x, y):
            return F.cross_entropy(model(x), y)

        def rate(i):
            return min(1.0, (i + 1) / length)

        return _training(model, loss, lambda: _labelled(4, 6), rate=rate)

    return training


def shifted(mended):
    """Predict the next token of a sequence of one."""

    def training(length=st.integers(1, 12), batch=st.integers(1, 4)):
        model = nn.Sequential(nn.Embedding(11, 8), nn.Tanh(), nn.Linear(8, 11))

        def loss(x):
            return F.cross_entropy(model(x[:, :-1]).flatten(0, 1), x[:, 1:].flatten())

        return _training(model, loss, lambda: (torch.randint(11, (batch, length + mended)),))

    return training


def deviation(mended):
    """Divide by the standard deviation of one sample."""

    def training(hidden=st.integers(1, 32), batch=st.integers(1, 16)):
        model = _model(hidden)

        def loss(x, y):
            spread = x.var(0, correction=0).add(1e-5).sqrt() if mended else x.std(0)
            return F.cross_entropy(model((x - x.mean(0)) / spread), y)

        return _training(model, loss, lambda: _labelled(batch, 6))

    return training


# No law shows a sum of losses that is divided by ``batch_size``, not by ``len(x)``: it is another
# loss, not a broken one. All samples weigh the same, and a short last batch makes a smaller update.
BUGS = {  # by what is made: the law that finds it, and the smallest arguments that fail
    squeeze: ("training/sizes", "hidden=1 batch=1"),
    view: ("training/sizes", "hidden=1 batch=1"),
    remainder: ("symmetry/permutation", "hidden=5 batch=2"),
    mask: ("training/sizes", "length=1 batch=2"),
    kernel: ("training/sizes", "size=1 batch=2"),
    dropped: ("symmetry/samples", "samples=3 size=2"),
    means: ("symmetry/samples", "samples=3 size=2"),
    warm_up: ("training/sizes", "hidden=1 warmup=0"),
    shifted: ("training/sizes", "length=1 batch=1"),
    deviation: ("training/sizes", "hidden=1 batch=1"),
}
