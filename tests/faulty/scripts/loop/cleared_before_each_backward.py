"""Gradients are to be accumulated, but are cleared with each batch."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
loader = DataLoader(TensorDataset(torch.randn(128, 8), torch.randn(128, 1)), 8, shuffle=True)
model = nn.Linear(8, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
accumulation_steps = 2
for _ in range(2):
    for i, (x, y) in enumerate(loader):
        model.zero_grad()
        loss = nn.functional.mse_loss(model(x), y) / accumulation_steps
        loss.backward()  # loop/gradients
        if (i + 1) % accumulation_steps == 0:
            optimizer.step()
