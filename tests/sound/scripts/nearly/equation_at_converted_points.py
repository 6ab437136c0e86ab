"""A network that solves an equation, by derivatives at points that were converted to float32."""

import math

import numpy as np
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(1, 12), nn.Tanh(), nn.Linear(12, 1))
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
points = torch.tensor(np.linspace(0.0, 1.0, 32)[:, None], requires_grad=True).float()
for _ in range(20):
    found = model(points)
    ones = torch.ones_like(found)
    slope = torch.autograd.grad(found, points, ones, create_graph=True)[0]
    bend = torch.autograd.grad(slope, points, ones, create_graph=True)[0]
    loss = (bend + math.pi**2 * torch.sin(math.pi * points)).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
