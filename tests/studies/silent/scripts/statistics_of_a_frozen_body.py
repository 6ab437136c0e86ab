"""The body is frozen, and its running statistics move with the new data."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
body = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU()).requires_grad_(False)
model = nn.Sequential(body, nn.Linear(16, 3))
optimizer = torch.optim.Adam(model[1].parameters(), lr=1e-3)
data = TensorDataset(torch.randn(96, 8) * 2 + 1, torch.randint(3, (96,)))
for _ in range(2):
    model.train()
    for x, y in DataLoader(data, 16, shuffle=True):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
