"""The script goes on from a checkpoint without the optimiser."""

# proved: loop/copies
from pathlib import Path

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(10, 24), nn.ReLU(), nn.Linear(24, 3))
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
first = 0
if Path("last.pt").exists():
    saved = torch.load("last.pt")
    model.load_state_dict(saved["model"])
    first = saved["epoch"] + 1
x, y = torch.randn(160, 10), torch.randint(3, (160,))
for epoch in range(first, 3):
    for i in torch.randperm(160).split(16):
        loss = nn.functional.cross_entropy(model(x[i]), y[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.save({"model": model.state_dict(), "epoch": epoch}, "last.pt")
