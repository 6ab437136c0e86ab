"""PyTorch with gradients written by hand."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.nn import functional

from symmetry.experiment.data.dataset import Dataset
from symmetry.steps.builtin.torch import back, forward
from symmetry.units.compare import Floats
from tests.studies.frameworks.contestants import Iteration


def contestant(data: Dataset, w1: Floats, w2: Floats, lr: float) -> Iterator[Iteration]:
    """Train by the same functions, on tensors made once."""
    own_w1, own_w2 = torch.tensor(w1), torch.tensor(w2)
    x, test_x = (torch.tensor(a, dtype=own_w1.dtype) for a in (data.train_x, data.test_x))
    labels, test_labels = (
        torch.tensor(a, dtype=torch.int64) for a in (data.train_labels, data.test_labels)
    )
    y = functional.one_hot(labels, data.classes).to(own_w1.dtype)
    hidden, logits = forward(x, own_w1, own_w2)
    while True:
        g1, g2 = back(x, y, own_w2, hidden, logits)
        own_w1 -= lr * g1
        own_w2 -= lr * g2
        hidden, logits = forward(x, own_w1, own_w2)
        loss = float(functional.cross_entropy(logits, labels))
        correct = int((forward(test_x, own_w1, own_w2)[1].argmax(dim=1) == test_labels).sum())
        yield Iteration(loss, correct, own_w1.numpy(), own_w2.numpy())
