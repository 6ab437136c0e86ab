"""An optimiser looks for gradients in its first step only, while a part of the model is frozen."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Descent(torch.optim.Optimizer):
    """Gradient descent, for the parameters that have a gradient."""

    def __init__(self, parameters, lr):
        super().__init__(parameters, {"lr": lr})
        self.trained = []

    def with_gradient(self):
        return [p for p in self.param_groups[0]["params"] if p.grad is not None]

    @torch.no_grad()
    def step(self):
        if not self.trained:
            self.trained = self.with_gradient()
        for parameter in self.trained:
            parameter -= self.param_groups[0]["lr"] * parameter.grad


torch.manual_seed(0)
data = TensorDataset(torch.randn(96, 8), torch.randint(3, (96,)))
body = nn.Sequential(nn.Linear(8, 16), nn.ReLU())
model = nn.Sequential(body, nn.Linear(16, 3))
optimizer = Descent(model.parameters(), lr=0.1)
for epoch in range(3):
    body.requires_grad_(epoch > 0)  # the first epoch warms the head up
    for x, y in DataLoader(data, 16, shuffle=True):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
