"""A validation loss is a mean of batches, and the last of these is smaller."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
model = nn.Linear(8, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
data = TensorDataset(torch.randn(32, 8), torch.randint(3, (32,)))
held_out = DataLoader(TensorDataset(torch.randn(27, 8), torch.randint(3, (27,))), 8)


@torch.no_grad()
def evaluate():
    model.eval()
    losses = []
    for a, b in held_out:  # loop/metrics
        losses.append(F.cross_entropy(model(a), b).item())
    model.train()
    return sum(losses) / len(losses)


for _ in range(2):
    for a, b in DataLoader(data, 8, shuffle=True):
        optimizer.zero_grad()
        F.cross_entropy(model(a), b).backward()
        optimizer.step()
    print(evaluate())
