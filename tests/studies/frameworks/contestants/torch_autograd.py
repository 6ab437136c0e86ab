"""PyTorch with autograd and an optimiser."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.nn import functional

from symmetry.experiment.data.dataset import Dataset
from symmetry.steps.builtin.torch_autograd import predict, to_matrices, to_parameters
from symmetry.units.compare import Floats
from tests.studies.frameworks.contestants import Iteration


def contestant(data: Dataset, w1: Floats, w2: Floats, lr: float) -> Iterator[Iteration]:
    """Train by the same functions, on tensors made once."""
    parameters = to_parameters(w1, w2)
    optimizer = torch.optim.SGD(parameters, lr=lr)
    dtype = parameters[0].dtype
    x, test_x = (torch.tensor(a, dtype=dtype) for a in (data.train_x, data.test_x))
    labels, test_labels = (
        torch.tensor(a, dtype=torch.int64) for a in (data.train_labels, data.test_labels)
    )
    loss = functional.cross_entropy(predict(x, parameters), labels)
    while True:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss = functional.cross_entropy(predict(x, parameters), labels)
        with torch.no_grad():
            correct = int((predict(test_x, parameters).argmax(dim=1) == test_labels).sum())
        yield Iteration(float(loss.detach()), correct, *to_matrices(parameters))
