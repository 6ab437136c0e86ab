"""Two tasks with one body: each has a backward of its own for the same batch, at one line."""

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
x, labels = torch.randn(160, 8), torch.randint(3, (2, 160))
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(12):
    rows = torch.randint(160, (16,))
    optimizer.zero_grad()
    for task in labels:
        loss = F.cross_entropy(model(x[rows]), task[rows]) / 2
        loss.backward()
    optimizer.step()
