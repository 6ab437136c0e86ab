"""Reptile: a copy of the model is trained on a task, and the model goes a step towards it."""

import copy

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
tasks = DataLoader(TensorDataset(torch.rand(48) * 3), batch_size=4, shuffle=True)
model = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1))
meta = torch.optim.Adam(model.parameters(), lr=1e-2)
for _ in range(2):
    for (phases,) in tasks:
        meta.zero_grad()
        for phase in phases:
            fast = copy.deepcopy(model)
            inner = torch.optim.SGD(fast.parameters(), lr=0.05)
            x = torch.rand(8, 1) * 6 - 3
            for _ in range(2):
                inner.zero_grad()
                nn.functional.mse_loss(fast(x), torch.sin(x + phase)).backward()
                inner.step()
            for p, q in zip(model.parameters(), fast.parameters(), strict=True):
                step = (p.data - q.data) / len(phases)
                p.grad = step if p.grad is None else p.grad + step
        meta.step()
