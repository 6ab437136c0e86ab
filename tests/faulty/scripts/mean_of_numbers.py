"""Fits two functions, and averages the errors of a batch by hand."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x = torch.randn(64, 6)
y = torch.stack([x[:, :3].sum(1), x[:, 3:].prod(1)], dim=1)
model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)


def worst_error(outputs, targets):
    errors = []
    for output, target in zip(outputs, targets, strict=True):
        errors.append((output - target).abs().max())
    return torch.tensor(errors, requires_grad=True).mean()


for epoch in range(2):
    for xb, yb in DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True):
        optimizer.zero_grad()
        loss = worst_error(model(xb), yb)
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch}: {loss.item():.3f}")
