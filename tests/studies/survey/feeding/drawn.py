"""Drawn numbers of a batch, and the sizes that a configuration states for them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedConfig

SAMPLES = 2
CLASSES = 5
Batch = dict[str, Tensor]


def integers(bound: int, *shape: int, seed: int, low: int = 0) -> Tensor:
    return torch.randint(low, bound, shape, generator=torch.Generator().manual_seed(seed))


def numbers(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def ones(*shape: int) -> Tensor:
    return torch.ones(*shape, dtype=torch.long)


def for_each(*values: int) -> Tensor:
    """Return a row of integers for each sample."""
    return torch.tensor([values] * SAMPLES)


def number_in(config: PreTrainedConfig, *names: str, default: int = 0) -> int:
    """Return the first of these that a configuration has, or one inside it."""
    for name in names:
        value = getattr(config, name, None)
        if isinstance(value, list | tuple) and value:
            value = value[0]
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    inside = (value for value in vars(config).values() if isinstance(value, PreTrainedConfig))
    return next(filter(None, (number_in(each, *names) for each in inside)), default)


def part_of(config: PreTrainedConfig, *words: str) -> PreTrainedConfig:
    """Return the configuration of a part, such as ``vision_config``; else the whole one."""
    inside: dict[str, Any] = {
        name: value for name, value in vars(config).items() if isinstance(value, PreTrainedConfig)
    }
    return next(
        (value for word in words for name, value in inside.items() if word in name),
        next((part_of(value, *words) for value in inside.values() if _has(value, words)), config),
    )


def _has(config: PreTrainedConfig, words: tuple[str, ...]) -> bool:
    return part_of(config, *words) is not config
