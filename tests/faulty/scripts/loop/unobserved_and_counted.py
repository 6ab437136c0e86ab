"""Values that were not observed leave the sum, mask by mask, and not the number that divides it."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)

model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 8))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
x, y, lengths = torch.randn(64, 6), torch.randn(64, 8), torch.randint(3, 9, (64, 1))
seen = torch.rand(64, 8) < 0.7
for a, b, length, observed in DataLoader(TensorDataset(x, y, lengths, seen), 16, shuffle=True):
    within = (torch.arange(8) < length).float()
    error = (model(a) - b).pow(2)
    loss = (error * within * observed).sum() / within.sum()  # loss/masks
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
