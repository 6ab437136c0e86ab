"""Attacks are made in evaluation mode, with backwards whose gradients of weights are cleared."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
train = DataLoader(TensorDataset(torch.rand(64, 8), torch.randint(3, (64,))), 16, shuffle=True)
model = nn.Sequential(
    nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 3)
)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


def attacked(x, y):
    model.eval()
    delta = torch.zeros_like(x, requires_grad=True)
    for _ in range(2):
        nn.functional.cross_entropy(model(x + delta), y).backward()
        delta.data = (delta + 0.02 * delta.grad.sign()).clamp(-0.05, 0.05).data
        delta.grad.zero_()
    model.zero_grad()
    model.train()
    return (x + delta).detach()


for _ in range(3):
    for x, y in train:
        adversarial = attacked(x, y)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(adversarial), y).backward()
        optimizer.step()
