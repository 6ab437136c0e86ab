"""Squared errors by hand, of all outputs with all labels."""

# promised: loss/pairs
import torch
from torch import nn

torch.manual_seed(3)
model = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(model.parameters(), 1e-2)
features = torch.randn(120, 5)
prices = features.sum(1) + 0.1 * torch.randn(120)
for _ in range(3):
    for i in torch.randperm(120).split(20):
        error = model(features[i]) - prices[i]
        loss = (error**2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
