"""Each epoch is seeded for the sake of repeatability, and has the order of the first."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def train_one_epoch(model, loader, optimizer):
    torch.manual_seed(42)
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()


data = TensorDataset(torch.randn(96, 10), torch.randint(3, (96,)))
loader = DataLoader(data, batch_size=16, shuffle=True)  # loop/batches
model = nn.Linear(10, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(3):
    train_one_epoch(model, loader, optimizer)
