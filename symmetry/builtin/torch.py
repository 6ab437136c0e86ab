"""PyTorch, with the gradients written by hand; and the adapter for people's own modules."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from symmetry.builtin.contestant import Iteration
from symmetry.data.dataset import Dataset
from symmetry.steps.from_module import from_module
from symmetry.units.compare import Floats

__all__ = ["contestant", "from_module", "step"]


def step(x: Floats, y: Floats, w1: Floats, w2: Floats, lr: float) -> tuple[Floats, Floats]:
    """Return the weights after one full-batch gradient step with learning rate ``lr``."""
    inputs, targets, old_w1, old_w2 = (torch.from_numpy(a) for a in (x, y, w1, w2))
    hidden, logits = forward(inputs, old_w1, old_w2)
    g1, g2 = back(inputs, targets, old_w2, hidden, logits)
    return (old_w1 - lr * g1).numpy(), (old_w2 - lr * g2).numpy()


def forward(x: Tensor, w1: Tensor, w2: Tensor) -> tuple[Tensor, Tensor]:
    """Return the hidden layer (n, h) and the logits (n, c)."""
    hidden = torch.addmm(w1[0], x, w1[1:]).sigmoid_()
    return hidden, torch.addmm(w2[0], hidden, w2[1:])


def back(x: Tensor, y: Tensor, w2: Tensor, hidden: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradients of the mean loss: ``g1`` shaped like w1 and ``g2`` like w2."""
    delta = torch.softmax(logits, dim=1) - y
    hidden_delta = (delta @ w2[1:].T).mul_(hidden).mul_(1 - hidden)
    return _layer_gradient(x, hidden_delta), _layer_gradient(hidden, delta)


def _layer_gradient(inputs: Tensor, delta: Tensor) -> Tensor:
    """Return the gradient of one weight matrix, the row of its bias first."""
    return torch.cat([delta.sum(0, keepdim=True), inputs.T @ delta]) / len(inputs)


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
