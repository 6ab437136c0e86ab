"""Trainings of a drawn architecture: as it is written, and by torch.compile.

    symmetry compare tests/studies/compiler/trainings.py:eager \
        tests/studies/compiler/trainings.py:compiled -- layers=image/conv3/+gelu width=3 ...
"""

from __future__ import annotations

from functools import partial
from random import Random
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from symmetry.targets.sizes.arguments import Arguments
from symmetry.targets.sizes.space import Space
from tests.studies.compiler.layers import (
    ACTIVATIONS,
    CLASSES,
    FEATURES,
    LAYERS,
    LOSSES,
    WORDS,
    first,
    keeps_shape,
    layer,
)

MANY = 240  # architectures
MOST = 3  # layers between the first and the last one
_KINDS = ("image", "image", "image", "series", "series", "tokens", "vector", "vector")


def architecture(number: int) -> str:
    """Return an architecture by its number: the kind of the data, and layers that fit.

    Hypothesis draws the number. Words that it draws one by one repeat each other: of 116 words, 240
    architectures had 90.
    """
    random = Random(number)
    kind = random.choice(_KINDS)
    own = [word for word in LAYERS[kind] if word not in ACTIVATIONS]
    words = []
    for _ in range(random.randint(1, MOST)):
        word = random.choice(random.choice([own, own, [*ACTIVATIONS]]))
        residual = keeps_shape(kind, word) and random.random() < 0.5
        words.append("+" * residual + word)
    return "/".join([kind, *words])


STRATEGIES: dict[str, Any] = {
    "layers": st.integers(0, 2**32 - 1).map(architecture),
    "width": st.integers(1, 36),
    "size": st.integers(1, 9),
    "batch": st.integers(1, 5),
    "loss": st.sampled_from([*LOSSES]),
    "rule": st.sampled_from(["sgd", "adamw"]),
    "dynamic": st.booleans(),
    "dtype": st.sampled_from(["float32", "float32", "float64", "bfloat16"]),
}
PLAIN: dict[str, Any] = {
    "layers": "vector/gelu",
    "width": 3,
    "size": 1,
    "batch": 2,
    "loss": "mean-square",
    "rule": "sgd",
    "dynamic": False,
    "dtype": "float32",
}


class Architecture(nn.Module):
    """Layers one after the other, a mean over all places, and a linear layer."""

    def __init__(self, words: str, width: int) -> None:
        super().__init__()
        kind, *rest = words.split("/")
        made = [layer(kind, word, width) for word in rest]
        self.layers = nn.Sequential(first(kind, width), *made)
        self.channels = 1 if kind == "image" else -1
        self.last = nn.Linear(width, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layers(x).movedim(self.channels, -1)
        out: Tensor = self.last(x.flatten(1, -2).mean(1) if x.ndim > 2 else x)
        return out


def _data(kind: str, batch: int, size: int, dtype: torch.dtype) -> tuple[Tensor, ...]:
    """Return a batch: inputs, labels, targets."""
    labels, targets = torch.randint(CLASSES, (batch,)), torch.randn(batch, CLASSES).to(dtype)
    if kind == "tokens":
        return torch.randint(WORDS, (batch, size)), labels, targets
    shape = {"image": (FEATURES, size, size), "series": (size, FEATURES), "vector": (FEATURES,)}
    return torch.randn(batch, *shape[kind]).to(dtype), labels, targets


def training(
    layers: str,
    width: int,
    size: int,
    batch: int,
    loss: str,
    rule: str,
    dynamic: bool,
    dtype: str,
    *,
    compiles: bool,
) -> Any:
    """Return a training whose forward and loss are compiled together, or not at all."""
    number = getattr(torch, dtype)
    model = Architecture(layers, width).to(number)
    if rule == "sgd":
        optimizer: torch.optim.Optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    else:
        optimizer = torch.optim.AdamW(model.parameters(), 1e-3)

    def compute(x: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
        return LOSSES[loss](model(x), labels, targets)

    if compiles:
        compute = torch.compile(compute, dynamic=dynamic)

    def make(i: int) -> tuple[Tensor, ...]:
        torch.manual_seed(i)
        return _data(layers.partition("/")[0], batch, size, number)

    def step(data: tuple[Tensor, ...]) -> None:
        optimizer.zero_grad()
        compute(*data).backward()
        optimizer.step()

    return model, step, {"batch": make}


eager = partial(training, **STRATEGIES, compiles=False)
compiled = partial(training, **STRATEGIES, compiles=True)


def drawn(count: int) -> tuple[Arguments, ...]:
    """Return the first architectures of ``MANY``: Hypothesis draws others if it draws fewer.

    It also draws constants of the modules that are imported: under pytest there may be others.
    """
    return Space(STRATEGIES).examples(MANY)[:count]
