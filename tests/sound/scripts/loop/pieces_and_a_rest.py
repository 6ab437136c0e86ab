"""Batches are cut into equal pieces, and a smaller rest is left."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)

model = nn.Linear(8, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
data = TensorDataset(torch.randn(60, 8), torch.randint(3, (60,)))
for a, b in DataLoader(data, batch_size=10, shuffle=True):  # nearly loop/turns
    loss = sum(F.cross_entropy(model(a[i : i + 4]), b[i : i + 4]) / 2 for i in (0, 4))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
