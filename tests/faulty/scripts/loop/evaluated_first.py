"""The accuracy before training is taken in evaluation mode, and no line switches back."""

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(96, 8), torch.randint(3, (96,))
model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


@torch.no_grad()
def accuracy() -> float:
    model.eval()  # loop/modes
    return (model(x[64:]).argmax(1) == y[64:]).float().mean().item()


print(accuracy())
for _ in range(6):
    for batch in torch.randperm(64).split(16):
        optimizer.zero_grad()
        F.cross_entropy(model(x[batch]), y[batch]).backward()
        optimizer.step()
    print(accuracy())
