"""Clipping comes when the update is done."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
loader = DataLoader(TensorDataset(torch.randn(64, 5, 4), torch.randn(64, 8)), 8, shuffle=True)
model = nn.LSTM(4, 8, batch_first=True)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(3):
    for x, y in loader:
        optimizer.zero_grad()
        _, (hidden, _) = model(x)
        nn.functional.mse_loss(hidden[-1], y).backward()
        optimizer.step()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.25)  # loop/gradients
