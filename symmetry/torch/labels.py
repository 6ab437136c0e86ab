"""The samples of a batch, and the labels that they have."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils._pytree import tree_leaves


def samples_along(tensors: Sequence[Tensor], axis: int) -> int | None:
    """Return how many samples all tensors of a batch have along an axis; None if they differ."""
    if not tensors or any(not -t.ndim <= axis < t.ndim for t in tensors):
        return None
    lengths = {t.shape[axis] for t in tensors}
    return lengths.pop() if len(lengths) == 1 else None


def label_of(sample: Any) -> Hashable:
    """Return the integers of a sample, such as the number of its class."""
    return tuple(int(leaf) for leaf in tree_leaves(sample) if _is_integer(leaf))


def labels_of_rows(tensors: Sequence[Tensor]) -> list[Hashable]:
    """Return the integers of each sample of a batch, one for each tensor of integers."""
    columns = [t.tolist() for t in tensors if t.ndim == 1 and not _is_real(t)]
    return [*zip(*columns, strict=True)]


def _is_integer(leaf: Any) -> bool:
    if isinstance(leaf, Tensor):
        return leaf.ndim == 0 and not _is_real(leaf)
    return isinstance(leaf, int | np.integer)


def _is_real(tensor: Tensor) -> bool:
    return bool(tensor.is_floating_point() or tensor.is_complex())
