"""Learns an embedding, and leaves out each step whose gradient is not finite."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x = torch.randn(64, 6)
x[3] = x[5]
model = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 4))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for epoch in range(2):
    for (xb,) in DataLoader(TensorDataset(x), batch_size=8):
        points = model(xb)
        distances = ((points[:, None] - points[None, :]) ** 2).sum(-1)
        above = torch.triu(torch.ones(len(xb), len(xb), dtype=torch.bool), 1)
        loss = torch.relu(1 - distances[above].sqrt()).mean()
        optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        if torch.isfinite(norm):
            optimizer.step()
    print(f"epoch {epoch}: {loss.item():.3f}")
