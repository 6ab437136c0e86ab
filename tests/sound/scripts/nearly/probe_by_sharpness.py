"""A linear probe trained by SAM, whose second optimiser holds the same parameters as it does."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


class Sharpness(torch.optim.Optimizer):
    """SAM: the gradient is taken where the loss is largest nearby."""

    def __init__(self, params: object, base: type, **options: float) -> None:
        super().__init__(params, options)
        self.base = base(self.param_groups, **options)

    @torch.no_grad()
    def step(self, closure) -> None:
        moved = [p for group in self.param_groups for p in group["params"]]
        norm = torch.stack([p.grad.norm() for p in moved]).norm()
        shifts = [0.05 * p.grad / norm for p in moved]
        for p, shift in zip(moved, shifts, strict=True):
            p.add_(shift)
        self.zero_grad()
        with torch.enable_grad():
            closure().backward()
        for p, shift in zip(moved, shifts, strict=True):
            p.sub_(shift)
        self.base.step()


torch.manual_seed(0)
encoder, probe = nn.Linear(6, 5), nn.Linear(5, 3)
x, y = torch.randn(80, 6), torch.randint(3, (80,))
optimizer = Sharpness(probe.parameters(), torch.optim.SGD, lr=0.05)
for _ in range(4):
    for rows in torch.randperm(80).split(16):

        def loss(rows: torch.Tensor = rows) -> torch.Tensor:
            return F.cross_entropy(probe(encoder(x[rows]).tanh()), y[rows])

        loss().backward()
        optimizer.step(loss)
        optimizer.zero_grad()
