"""Rows of whole numbers that were filled up to one length, and which of their places are padding.

Two things make them for certain: ``pad_sequence``, and a batch that comes with an attention mask,
as those of tokenizers do, whether the model is given the mask or not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

from symmetry.units.state import Array

_KEPT = 32  # batches: those of the first steps


@dataclass(frozen=True)
class _Filled:
    """Rows that were filled up; views of them have their memory."""

    rows: Tensor  # the numbers; while they are kept, their memory belongs to nothing else
    # For each of them, the row that it belongs to, and whether it is padding.
    samples: Tensor
    padding: Tensor

    def of(self, view: Tensor) -> Array | None:
        """Return which places of a view are padding; None if it is no view of whole rows."""
        if view.untyped_storage().data_ptr() != self.rows.untyped_storage().data_ptr():
            return None
        layout = view.size(), view.stride(), view.storage_offset()
        samples, padding = (each.as_strided(*layout) for each in (self.samples, self.padding))
        if view.dtype != self.rows.dtype or bool((samples != samples[:, :1]).any()):
            return None
        found: Array = padding.numpy().copy()
        return found


_kept: deque[_Filled] = deque(maxlen=_KEPT)


@contextmanager
def seeing_filled_rows() -> Iterator[None]:
    """Note what ``pad_sequence`` makes while the block runs."""
    make = torch._C._nn.pad_sequence

    def seen(*args: Any, **kwargs: Any) -> Any:
        rows = make(*args, **kwargs)
        named = dict(zip(("sequences", "batch_first", "value", "side"), args, strict=False))
        sequences = named.get("sequences", kwargs.get("sequences", ()))
        batch_first = named.get("batch_first", kwargs.get("batch_first", False))
        side = named.get("side", kwargs.get("padding_side", "right"))
        if isinstance(rows, Tensor) and rows.ndim == 2:
            shape = rows.shape if batch_first else rows.shape[::-1]
            places = torch.arange(shape[1])
            lengths = torch.tensor([len(sequence) for sequence in sequences])[:, None]
            padding = places >= lengths if side == "right" else places < shape[1] - lengths
            _note(rows, padding if batch_first else padding.T, 0 if batch_first else 1)
        return rows

    with patch.object(torch._C._nn, "pad_sequence", seen):
        yield


def see_batch(batch: Any) -> None:
    """Note the tokens of a batch that says which of them are padding."""
    if isinstance(batch, Mapping):
        tokens, mask = batch.get("input_ids"), batch.get("attention_mask")
        if isinstance(tokens, Tensor) and isinstance(mask, Tensor) and tokens.shape == mask.shape:
            _note(tokens, mask == 0, 0)


def padding_of(tokens: Tensor) -> Array | None:
    """Return which tokens are padding, (batch, tokens), if that is known."""
    if tokens.ndim != 2 or tokens.device.type != "cpu":
        return None
    with _disable_current_modes():
        return next((f for each in reversed(_kept) if (f := each.of(tokens)) is not None), None)


def _note(rows: Tensor, padding: Tensor, axis: int) -> None:
    """Note rows whose samples lie along an axis."""
    if rows.ndim != 2 or rows.is_floating_point() or not rows.is_contiguous():
        return
    if rows.device.type != "cpu":
        return
    shape = [1, 1]
    shape[axis] = -1
    samples = torch.arange(rows.shape[axis]).reshape(shape).expand(rows.shape).contiguous()
    _kept.append(_Filled(rows, samples, padding.contiguous()))
