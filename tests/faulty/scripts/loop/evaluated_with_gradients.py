"""The evaluation records gradients, and its eval() is never undone."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
train = DataLoader(TensorDataset(torch.randn(64, 16), torch.rand(64).round()), 8, shuffle=True)
valid = DataLoader(TensorDataset(torch.randn(32, 16)), 8)
model.train()
for epoch in range(4):
    for x, y in train:
        model.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(model(x).view(-1), y).backward()
        optimizer.step()
    model.eval()  # loop/modes
    print(epoch, sum(model(x).sum().item() for (x,) in valid))
