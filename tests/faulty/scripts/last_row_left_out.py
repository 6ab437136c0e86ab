"""Regression on shuffled slices; the loss leaves out the last row of each."""

import torch
from torch import nn

torch.manual_seed(0)
inputs = torch.randn(240, 7)
targets = inputs @ torch.randn(7, 2)
model = nn.Sequential(nn.Linear(7, 12), nn.Tanh(), nn.Linear(12, 2))
optimizer = torch.optim.Adam(model.parameters(), 1e-3)

for _ in range(3):
    order = torch.randperm(len(inputs))
    for start in range(0, len(inputs), 16):
        x, y = inputs[order[start : start + 16]], targets[order[start : start + 16]]
        loss = (model(x)[:-1] - y[:-1]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
