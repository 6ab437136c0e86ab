"""Weights are to be held in float32; the assignment makes a name, and most updates are lost."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
data = TensorDataset(torch.randn(160, 16), torch.randint(5, (160,)))
model = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 5)).to(torch.bfloat16)
for parameter in model.parameters():
    parameter = parameter.to(torch.float32)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
for _ in range(2):
    for x, y in DataLoader(data, 16, shuffle=True):
        with torch.autocast("cpu", torch.bfloat16):
            loss = nn.functional.cross_entropy(model(x).float(), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
