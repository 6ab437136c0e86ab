"""PyTorch, with the gradients written by hand; and the adapter for people's own modules."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from symmetry.targets import contestant
from symmetry.targets.torch_module import from_module
from symmetry.units.compare import Floats

__all__ = ["Contestant", "from_module", "step"]


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


class Contestant(contestant.Contestant):
    """The same functions, on tensors made once."""

    def __init__(self, given: contestant.Given) -> None:
        x, labels, test_x, test_labels, w1, w2, self._lr = given
        self._w1, self._w2 = torch.tensor(w1), torch.tensor(w2)
        self._x, self._test_x = (torch.tensor(a, dtype=self._w1.dtype) for a in (x, test_x))
        self._labels, self._test_labels = (
            torch.tensor(a, dtype=torch.int64) for a in (labels, test_labels)
        )
        self._y = functional.one_hot(self._labels, w2.shape[1]).to(self._w1.dtype)

    def weights(self) -> tuple[Floats, Floats]:
        """Return copies of w1 and w2 as NumPy arrays."""
        return self._w1.numpy().copy(), self._w2.numpy().copy()

    def _differentiate(self) -> float:
        hidden, logits = forward(self._x, self._w1, self._w2)
        self._g1, self._g2 = back(self._x, self._y, self._w2, hidden, logits)
        return float(functional.cross_entropy(logits, self._labels))

    def _update(self) -> None:
        self._w1 -= self._lr * self._g1
        self._w2 -= self._lr * self._g2

    def _count_correct(self) -> int:
        _, logits = forward(self._test_x, self._w1, self._w2)
        return int((logits.argmax(dim=1) == self._test_labels).sum())
