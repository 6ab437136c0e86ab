"""Small trainings with drawn arguments, sound and broken."""

from __future__ import annotations

import torch
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F


def _training(model, rate, loss, size, after=lambda: None):
    optimizer = torch.optim.SGD(model.parameters(), rate)

    def batch(i):
        random = torch.Generator().manual_seed(i)
        return torch.randn(size, 6, generator=random), torch.randn(size, generator=random)

    def step(data):
        optimizer.zero_grad()
        loss(model(data[0]), data[1]).backward()
        after()
        optimizer.step()

    return model, step, {"batch": batch}


def _model(hidden):
    return nn.Sequential(nn.Linear(6, hidden), nn.Tanh(), nn.Linear(hidden, 1))


def sound(hidden=st.integers(1, 64), size=st.sampled_from([1, 2, 3, 16]), rate=st.floats(1e-5, 1)):
    return _training(_model(hidden), rate, lambda p, y: F.mse_loss(p.squeeze(1), y), size)


def one_sample(hidden=st.integers(1, 64), size=st.integers(1, 16)):
    return _training(
        _model(hidden), 0.1, lambda p, y: F.mse_loss(p.squeeze()[:, None], y[:, None]), size
    )


def remainder(hidden=st.integers(1, 64), rate=st.floats(1e-3, 0.1)):
    model = _model(hidden)

    def after():
        model[0].weight.grad[hidden // 4 * 4 :] = 0

    return _training(model, rate, lambda p, y: F.mse_loss(p[:, 0], y), 8, after)


def refusing(hidden=st.integers(1, 64)):
    if hidden % 2:
        raise ValueError("hidden must be even")
    return sound(hidden, 4, 0.1)


def never(hidden=st.integers(1, 64)):
    raise ValueError(f"{hidden} is no good")


def always(hidden=st.integers(1, 64)):
    return _training(_model(hidden), 0.1, lambda p, y: F.mse_loss(p.reshape(-1, 1, 7), y), 3)


def written(size=st.integers(1, 16)):
    return _training(_model(4), 0.1, lambda p, y: F.mse_loss(p.view(11), y), size)


def diverging(rate=st.sampled_from([0.01, 1e30])):
    def loss(p, y):
        if not torch.isfinite(p).all():
            raise RuntimeError("no finite numbers")
        return F.mse_loss(p[:, 0], y)

    return _training(_model(4), rate, loss, 4)


def modules(kind=st.sampled_from([nn.ReLU, nn.Tanh])):
    return _training(nn.Sequential(nn.Linear(6, 4), kind(), nn.Linear(4, 1)), 0.1, F.mse_loss, 4)


def scaled(hidden=st.integers(1, 64), rate=st.floats(1e-5, 1), size=st.integers(1, 16)):
    """Return another training than ``sound`` if the batch has more than two samples."""
    factor = 1.0 if size < 3 else 1.5
    return _training(_model(hidden), rate, lambda p, y: factor * F.mse_loss(p.squeeze(1), y), size)
