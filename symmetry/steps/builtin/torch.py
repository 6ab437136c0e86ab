"""PyTorch, with the gradients written by hand."""

import torch
from torch import Tensor

from symmetry.units.compare import Floats

__all__ = ["step"]


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
