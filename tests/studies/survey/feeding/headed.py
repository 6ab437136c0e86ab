"""A model without a loss, under a linear head of ours that classifies."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from tests.studies.survey.feeding.drawn import CLASSES, SAMPLES, Batch


class Headed(nn.Module):
    """A model with a linear head on its first output that has an axis of samples."""

    def __init__(self, body: nn.Module, batch: Batch, extra: dict[str, Any]) -> None:
        super().__init__()
        self.body, self.extra = body, extra
        out = first_output(body(**batch, **extra))
        self.axis = 1 if out.dim() == 4 else -1
        self.head = nn.Linear(out.shape[self.axis], CLASSES)

    def forward(self, **batch: Tensor) -> Tensor:
        """Return the logits, (samples, places, classes): each place is of its sample's class."""
        out = first_output(self.body(**batch, **self.extra)).movedim(self.axis, -1)
        return self.head(out).reshape(SAMPLES, -1, CLASSES)

    def loss(self, batch: Batch, classes: Tensor) -> Tensor:
        """Return the mean cross-entropy over all places that no attention mask hides."""
        logits, mask = self(**batch), batch.get("attention_mask")
        labels = classes[:, None].expand(logits.shape[:2])
        if mask is not None and mask.shape == labels.shape:
            labels = labels.masked_fill(mask == 0, -100)
        return nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())


def first_output(out: Any) -> Tensor:
    """Return the first output that can be learned from, with all others that are rows of samples.

    An output of a number for each pair of samples, such as ``logits_per_video``, is none.
    """
    values = (
        value[0] if isinstance(value, tuple | list) and value else value for value in _all(out)
    )
    found = [
        value
        for value in values
        if isinstance(value, Tensor) and value.requires_grad and value.dim() > 1
        if tuple(value.shape) != (SAMPLES, SAMPLES)
    ]
    if not found:
        raise ValueError("no output can be learned from")
    rows = [value for value in found if value.dim() == 2 and len(value) == SAMPLES]
    return torch.cat(rows, 1) if found[0].dim() == 2 and rows else found[0]


def _all(out: Any) -> Any:
    return out.values() if hasattr(out, "values") else out
