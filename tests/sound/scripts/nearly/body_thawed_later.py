"""Trains a head on a frozen body first, and then both, with one optimiser."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FROZEN = 2

torch.manual_seed(0)
x, y = torch.randn(64, 6), torch.randint(3, (64,))
body = nn.Sequential(nn.Linear(6, 12), nn.ReLU())
model = nn.Sequential(body, nn.Linear(12, 3))
body.requires_grad_(False)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01)
step = 0
for epoch in range(2):
    for xb, yb in DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True):
        if step == FROZEN:
            body.requires_grad_(True)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(xb), yb)
        loss.backward()
        optimizer.step()
        step += 1
    print(f"epoch {epoch}: {loss.item():.3f}")
