"""A module has no requires_grad."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def freeze(module):
    module.requires_grad = False  # loop/attributes


torch.manual_seed(0)
loader = DataLoader(TensorDataset(torch.randn(64, 8), torch.randint(3, (64,))), 8, shuffle=True)
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
freeze(model[0])
optimizer = torch.optim.Adam(model.parameters())
for _ in range(2):
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
