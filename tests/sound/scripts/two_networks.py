"""A GAN at module level, within seconds: whatever is left of them, and a running average."""

import copy
import time

import torch
from torch import nn

began = time.time()
torch.manual_seed(1)
generator = nn.Sequential(nn.Linear(2, 6), nn.ReLU(), nn.Linear(6, 2))
critic = nn.Sequential(nn.Linear(2, 7), nn.LeakyReLU(0.2), nn.Linear(7, 1))
average = copy.deepcopy(generator).requires_grad_(False)
of_generator = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.9))
of_critic = torch.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.5, 0.9))
while time.time() - began < 2:
    real, fake = torch.randn(16, 2) + 1, generator(torch.randn(16, 2))
    loss = nn.functional.softplus(critic(fake.detach())) + nn.functional.softplus(-critic(real))
    of_critic.zero_grad()
    loss.mean().backward()
    of_critic.step()
    loss = nn.functional.softplus(-critic(fake))
    of_generator.zero_grad()
    loss.mean().backward()
    of_generator.step()
    with torch.no_grad():
        for mean, parameter in zip(average.parameters(), generator.parameters(), strict=True):
            mean.lerp_(parameter, 0.01)
