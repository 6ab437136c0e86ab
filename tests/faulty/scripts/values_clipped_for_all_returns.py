"""A clipped value loss: values (n, 1) less returns (n,) are a matrix, and so is the clipped one."""

import torch
from torch import nn

torch.manual_seed(0)
critic = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(critic.parameters(), 1e-3)
states, returns = torch.randn(128, 6), torch.randn(128)
with torch.no_grad():
    old = critic(states).flatten() + 0.3 * torch.randn(128)
for _ in range(4):
    for rows in torch.randperm(128).split(16):
        values = critic(states[rows])
        clipped = old[rows] + (values - old[rows]).clamp(-0.2, 0.2)
        errors = torch.max((values - returns[rows]) ** 2, (clipped - returns[rows]) ** 2)
        optimizer.zero_grad()
        (0.5 * errors.mean()).backward()
        optimizer.step()
