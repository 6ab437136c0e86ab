"""Each update is to add up the gradients of four batches, and takes one of them four times."""

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(160, 8), torch.randint(3, (160,))
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(12):
    rows = torch.randint(160, (16,))
    optimizer.zero_grad()
    for _ in range(4):
        loss = F.cross_entropy(model(x[rows]), y[rows]) / 4
        loss.backward()  # loop/batches
    optimizer.step()
