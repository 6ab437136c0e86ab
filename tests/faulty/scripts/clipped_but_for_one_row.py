"""Clips gradients by hand."""

import torch
from torch import nn

torch.manual_seed(2)
model = nn.Sequential(nn.Linear(4, 6), nn.GELU(), nn.Linear(6, 1))
optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)
for _ in range(10):
    x = torch.randn(16, 4)
    loss = (model(x) - x.prod(1, keepdim=True)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    for parameter in model.parameters():
        parameter.grad[1:].clamp_(-0.01, 0.01)
    optimizer.step()
