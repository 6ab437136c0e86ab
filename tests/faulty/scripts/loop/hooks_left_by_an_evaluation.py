"""Hooks that quantise for an evaluation stay, and act in the training, too."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)

x, y = torch.randn(64, 8), torch.randint(3, (64,))
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


def quantised(module, inputs, output):
    return (output * 16).round() / 16 + (output - output.detach())


@torch.no_grad()
def evaluate():
    for layer in model:
        layer.register_forward_hook(quantised)  # loop/observing
    return (model(x).argmax(1) == y).float().mean().item()


for _ in range(4):
    for a, b in DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True):
        optimizer.zero_grad()
        F.cross_entropy(model(a), b).backward()
        optimizer.step()
    print(evaluate())
