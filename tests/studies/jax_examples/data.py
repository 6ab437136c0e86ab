"""Made-up batches for the examples: the batch of a step depends on its number alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Batch = Callable[[int], Any]
Training = tuple[Any, ...]  # a state, a step, and its batches


def images(*shape: int, samples: int = 6, classes: int = 10) -> Batch:
    """Return pairs of images with pixels in [0, 1) and labels."""

    def batch(step: int) -> tuple[Any, Any]:
        random = np.random.default_rng(step)
        pixels = random.random((samples, *shape), dtype=np.float32)
        return pixels, random.integers(0, classes, samples).astype(np.int32)

    return batch


def texts(length: int, words: int, samples: int = 4, padding: int = 0) -> Batch:
    """Return texts of several lengths, filled up with zeros; others are the words' numbers."""

    def batch(step: int) -> Any:
        random = np.random.default_rng(step)
        tokens = random.integers(1, words, (samples, length)).astype(np.int32)
        for sample in range(samples):
            cut = length - sample % (padding + 1)
            tokens[sample, cut:] = 0
        return tokens

    return batch


def named(drawn: Batch, *names: str) -> Batch:
    """Return batches as dictionaries: by default with an image and a label."""
    return lambda step: dict(zip(names or ("image", "label"), drawn(step), strict=True))
