"""PyTorch as most people write it: layers, a loss, autograd and ``torch.optim.SGD``."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from symmetry.targets import contestant
from symmetry.units.compare import Floats

__all__ = ["Contestant", "step"]


def step(x: Floats, y: Floats, w1: Floats, w2: Floats, lr: float) -> tuple[Floats, Floats]:
    """Return the weights after one full-batch gradient step with learning rate ``lr``."""
    parameters = to_parameters(w1, w2)
    optimizer = torch.optim.SGD(parameters, lr=lr)
    labels = torch.from_numpy(y).argmax(dim=1)
    functional.cross_entropy(predict(torch.from_numpy(x), parameters), labels).backward()
    optimizer.step()
    return to_matrices(parameters)


def predict(x: Tensor, parameters: list[Tensor]) -> Tensor:
    """Return the logits (n, c)."""
    weight1, bias1, weight2, bias2 = parameters
    hidden = torch.sigmoid(functional.linear(x, weight1, bias1))
    return functional.linear(hidden, weight2, bias2)


def to_parameters(w1: Floats, w2: Floats) -> list[Tensor]:
    """Return weight (outputs, inputs) and bias of both layers, stored as ``nn.Linear`` does."""
    arrays = (w1[1:].T, w1[0], w2[1:].T, w2[0])
    return [torch.tensor(a).contiguous().requires_grad_() for a in arrays]


def to_matrices(parameters: list[Tensor]) -> tuple[Floats, Floats]:
    """Return w1 and w2: each layer's weight transposed, below the row of its bias."""
    weight1, bias1, weight2, bias2 = (p.detach() for p in parameters)
    return torch.vstack([bias1, weight1.T]).numpy(), torch.vstack([bias2, weight2.T]).numpy()


class Contestant(contestant.Contestant):
    """The same functions, on tensors made once."""

    def __init__(self, given: contestant.Given) -> None:
        x, labels, test_x, test_labels, w1, w2, lr = given
        self._parameters = to_parameters(w1, w2)
        self._optimizer = torch.optim.SGD(self._parameters, lr=lr)
        dtype = self._parameters[0].dtype
        self._x, self._test_x = (torch.tensor(a, dtype=dtype) for a in (x, test_x))
        self._labels, self._test_labels = (
            torch.tensor(a, dtype=torch.int64) for a in (labels, test_labels)
        )

    def weights(self) -> tuple[Floats, Floats]:
        """Return copies of w1 and w2 as NumPy arrays."""
        return to_matrices(self._parameters)

    def _differentiate(self) -> float:
        self._optimizer.zero_grad()
        loss = functional.cross_entropy(predict(self._x, self._parameters), self._labels)
        loss.backward()
        return float(loss.detach())

    def _update(self) -> None:
        self._optimizer.step()

    def _count_correct(self) -> int:
        with torch.no_grad():
            logits = predict(self._test_x, self._parameters)
        return int((logits.argmax(dim=1) == self._test_labels).sum())
