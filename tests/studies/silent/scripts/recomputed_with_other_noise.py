"""Blocks with dropout are computed again in the backward, with other random numbers."""

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.head = nn.Linear(8, 16), nn.Linear(16, 3)
        self.block = nn.Sequential(nn.Linear(16, 16), nn.GELU(), nn.Dropout(0.2), nn.Linear(16, 16))

    def forward(self, x):
        x = self.first(x)
        x = x + checkpoint(self.block, x, use_reentrant=False, preserve_rng_state=False)
        return self.head(x)


data = TensorDataset(torch.randn(96, 8), torch.randint(3, (96,)))
model = Net()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for _ in range(2):
    for x, y in DataLoader(data, 16, shuffle=True):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
