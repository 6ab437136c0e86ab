"""Trains on noisy inputs; the noise comes of a generator of its own."""

import numpy as np
import torch
from torch import nn

torch.manual_seed(5)
noise = np.random.default_rng()
model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for x in torch.randn(10, 8, 4):
    noisy = x + 0.1 * torch.from_numpy(noise.standard_normal((8, 4))).float()
    loss = (model(noisy) - x.norm(dim=1, keepdim=True)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
