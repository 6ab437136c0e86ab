"""MixUp's coefficient is the same in every epoch, since NumPy is seeded there."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
loader = DataLoader(TensorDataset(torch.randn(64, 6), torch.randn(64, 1)), 16, shuffle=True)
model = nn.Linear(6, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(4):
    np.random.seed(1)  # loop/batches
    for x, y in loader:
        share = np.random.beta(0.4, 0.4)
        order = torch.randperm(len(x))
        x, y = share * x + (1 - share) * x[order], share * y + (1 - share) * y[order]
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
