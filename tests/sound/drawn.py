"""Sound trainings with drawn sizes and rates; none may be accused at any of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

Loss = Callable[..., Tensor]


def _training(
    model: nn.Module,
    loss: Loss,
    data: Callable[[], tuple[Tensor, ...]],
    optimizer: torch.optim.Optimizer | None = None,
) -> Any:
    optimizer = optimizer or torch.optim.SGD(model.parameters(), 0.1)

    def batch(i: int) -> tuple[Tensor, ...]:
        torch.manual_seed(i)
        return data()

    def step(batch: tuple[Tensor, ...]) -> None:
        optimizer.zero_grad()
        loss(*batch).backward()
        optimizer.step()

    return model, step, {"batch": batch}


def _classifier(model: nn.Module, *shape: int, **options: Any) -> Any:
    """Return a training of a classifier with three classes."""
    return _training(
        model,
        lambda x, y: F.cross_entropy(model(x), y),
        lambda: (torch.randn(shape), torch.randint(3, shape[:1])),
        **options,
    )


def perceptron(
    hidden: Any = st.integers(1, 64),
    batch: Any = st.integers(1, 16),
    rate: Any = st.floats(1e-5, 1),
) -> Any:
    model = nn.Sequential(nn.Linear(5, hidden), nn.Tanh(), nn.Linear(hidden, 3))
    return _classifier(model, batch, 5, optimizer=torch.optim.SGD(model.parameters(), rate))


def convolutions(
    channels: Any = st.integers(1, 9),
    size: Any = st.integers(1, 12),
    batch: Any = st.integers(1, 4),
) -> Any:
    model = nn.Sequential(
        nn.Conv2d(2, channels, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(channels, 3),
    )
    return _classifier(model, batch, 2, size, size)


class _Recurrent(nn.Module):
    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.rnn, self.out = nn.GRU(3, hidden, batch_first=True), nn.Linear(hidden, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(self.rnn(x)[0][:, -1])
        return out


def recurrent(
    hidden: Any = st.integers(1, 17),
    length: Any = st.integers(1, 9),
    batch: Any = st.integers(1, 4),
) -> Any:
    return _classifier(_Recurrent(hidden), batch, length, 3)


class _Causal(nn.Module):
    def __init__(self, heads: int, width: int, length: int) -> None:
        super().__init__()
        self.words = nn.Embedding(11, heads * width)
        self.places = nn.Parameter(torch.randn(length, heads * width) / 10)
        self.block = nn.TransformerEncoderLayer(
            heads * width, heads, 2 * heads * width, dropout=0.0, batch_first=True
        )
        self.out = nn.Linear(heads * width, 11)

    def forward(self, words: Tensor) -> Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(words.shape[1])
        x = self.words(words) + self.places.to(self.words.weight.dtype)
        out: Tensor = self.out(self.block(x, src_mask=mask.to(x.dtype), is_causal=True))
        return out


def language_model(
    heads: Any = st.integers(1, 3),
    width: Any = st.integers(1, 9),
    length: Any = st.integers(1, 9),
    batch: Any = st.integers(1, 4),
) -> Any:
    model = _Causal(heads, width, length)

    def data() -> tuple[Tensor, Tensor]:
        words = torch.randint(11, (batch, length + 1))
        return words[:, :-1], words[:, 1:]

    return _training(
        model,
        lambda x, y: F.cross_entropy(model(x).flatten(0, 1), y.flatten()),
        data,
        torch.optim.AdamW(model.parameters(), 1e-3),
    )


def group_norm(
    groups: Any = st.integers(1, 4), each: Any = st.integers(1, 4), batch: Any = st.integers(1, 4)
) -> Any:
    channels = groups * each
    model = nn.Sequential(
        nn.Conv2d(1, channels, 3, padding=1),
        nn.GroupNorm(groups, channels),
        nn.SiLU(),
        nn.Flatten(),
        nn.Linear(channels * 16, 3),
    )
    return _classifier(model, batch, 1, 4, 4)


def batch_norm(hidden: Any = st.integers(1, 32), batch: Any = st.integers(2, 16)) -> Any:
    model = nn.Sequential(
        nn.Linear(5, hidden), nn.BatchNorm1d(hidden), nn.GELU(), nn.Linear(hidden, 3)
    )
    return _classifier(model, batch, 5)


def layer_norm(hidden: Any = st.integers(1, 32), batch: Any = st.integers(1, 8)) -> Any:
    model = nn.Sequential(
        nn.Linear(5, hidden), nn.LayerNorm(hidden), nn.Tanh(), nn.Linear(hidden, 3)
    )
    return _classifier(model, batch, 5)


def bag_of_words(
    words: Any = st.integers(1, 50),
    width: Any = st.integers(1, 16),
    length: Any = st.integers(1, 9),
) -> Any:
    model = nn.Sequential(nn.EmbeddingBag(words, width), nn.Linear(width, 3))
    return _training(
        model,
        lambda x, y: F.cross_entropy(model(x), y),
        lambda: (torch.randint(words, (4, length)), torch.randint(3, (4,))),
        torch.optim.Adam(model.parameters(), 1e-2),
    )


def autoencoder(
    inputs: Any = st.integers(1, 16), code: Any = st.integers(1, 8), batch: Any = st.integers(1, 8)
) -> Any:
    model = nn.Sequential(nn.Linear(inputs, code), nn.Tanh(), nn.Linear(code, inputs))
    return _training(
        model, lambda x: F.mse_loss(model(x), x), lambda: (torch.randn(batch, inputs),)
    )


def action_values(
    actions: Any = st.integers(1, 5),
    batch: Any = st.integers(1, 16),
    discount: Any = st.sampled_from([0.0, 0.9, 1.0]),
) -> Any:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, actions))

    def loss(state: Tensor, action: Tensor, reward: Tensor, after: Tensor) -> Tensor:
        with torch.no_grad():
            target = reward + discount * model(after).amax(1)
        return F.smooth_l1_loss(model(state).gather(1, action[:, None]).squeeze(1), target)

    def data() -> tuple[Tensor, ...]:
        action = torch.randint(actions, (batch,))
        return torch.randn(batch, 4), action, torch.randn(batch), torch.randn(batch, 4)

    return _training(model, loss, data, torch.optim.Adam(model.parameters(), 1e-3))


def accumulated(windows: Any = st.integers(1, 4), size: Any = st.integers(1, 4)) -> Any:
    model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3))

    def loss(x: Tensor, y: Tensor) -> Tensor:
        parts = zip(x.split(size), y.split(size), strict=True)
        return torch.stack([F.cross_entropy(model(a), b) for a, b in parts]).sum() / windows

    def data() -> tuple[Tensor, Tensor]:
        return torch.randn(windows * size, 5), torch.randint(3, (windows * size,))

    return _training(model, loss, data)


def dropout(
    hidden: Any = st.integers(1, 32),
    batch: Any = st.integers(1, 8),
    share: Any = st.sampled_from([0.0, 0.1, 0.5]),
) -> Any:
    model = nn.Sequential(nn.Linear(5, hidden), nn.ReLU(), nn.Dropout(share), nn.Linear(hidden, 3))
    return _classifier(model, batch, 5)


def decay_groups(
    hidden: Any = st.integers(1, 32), decay: Any = st.floats(0, 0.5), batch: Any = st.integers(1, 8)
) -> Any:
    model = nn.Sequential(nn.Linear(5, hidden), nn.Tanh(), nn.Linear(hidden, 3))
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0},
    ]
    return _classifier(model, batch, 5, optimizer=torch.optim.AdamW(groups, 1e-2))


def contrastive(
    width: Any = st.integers(1, 16), pairs: Any = st.integers(2, 8), heat: Any = st.floats(0.1, 1)
) -> Any:
    model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, width))

    def loss(one: Tensor, other: Tensor) -> Tensor:
        alike = F.normalize(model(one), dim=1) @ F.normalize(model(other), dim=1).T
        return F.cross_entropy(alike / heat, torch.arange(pairs))

    def data() -> tuple[Tensor, Tensor]:
        x = torch.randn(pairs, 5)
        return x + torch.randn_like(x) / 10, x

    return _training(model, loss, data)


SOUND = (
    perceptron,
    convolutions,
    recurrent,
    language_model,
    group_norm,
    batch_norm,
    layer_norm,
    bag_of_words,
    autoencoder,
    action_values,
    accumulated,
    dropout,
    decay_groups,
    contrastive,
)
