"""Elastic weight consolidation: squared gradients are collected before the second task."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
first = DataLoader(TensorDataset(torch.randn(64, 8), torch.randint(3, (64,))), 16, shuffle=True)
second = DataLoader(TensorDataset(torch.randn(64, 8), torch.randint(3, (64,))), 16, shuffle=True)
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(2):
    for x, y in first:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
model.eval()
fisher = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
for x, y in first:
    model.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    for name, p in model.named_parameters():
        fisher[name] += p.grad**2 / len(first)
before = {name: p.detach().clone() for name, p in model.named_parameters()}
model.train()
for _ in range(2):
    for x, y in second:
        penalty = sum((fisher[n] * (p - before[n]) ** 2).sum() for n, p in model.named_parameters())
        optimizer.zero_grad()
        (nn.functional.cross_entropy(model(x), y) + penalty).backward()
        optimizer.step()
