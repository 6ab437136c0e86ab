"""Accumulates micro-batches, each of which is normalised by itself."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

MICRO_BATCHES = 3

torch.manual_seed(0)
data = TensorDataset(torch.randn(120, 8), torch.randint(3, (120,)))
model = nn.Sequential(nn.Linear(8, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, 3))
optimizer = torch.optim.SGD(model.parameters(), 0.1)
for epoch in range(2):
    for number, (x, y) in enumerate(DataLoader(data, 4, shuffle=True), start=1):
        loss = nn.functional.cross_entropy(model(x), y)
        (loss / MICRO_BATCHES).backward()
        if number % MICRO_BATCHES == 0:
            optimizer.step()
            optimizer.zero_grad()
    print(epoch, loss.item())
