"""PyTorch as most people write it: layers, a loss, autograd and ``torch.optim.SGD``."""

import torch
from torch import Tensor
from torch.nn import functional

from symmetry.units.compare import Floats

__all__ = ["step"]


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
