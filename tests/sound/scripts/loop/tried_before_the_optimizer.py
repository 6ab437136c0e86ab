"""A backward shows that gradients arrive, before the optimiser is made; the head stays frozen."""

import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(160, 8), torch.randint(3, (160,))
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
nn.functional.cross_entropy(model(x[:16]), y[:16]).backward()
print([parameter.grad.norm().item() for parameter in model.parameters()])
model.zero_grad()
model[2].requires_grad_(False)
optimizer = torch.optim.SGD(model[0].parameters(), lr=0.1)
for _ in range(12):
    rows = torch.randint(160, (16,))
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
    optimizer.step()
