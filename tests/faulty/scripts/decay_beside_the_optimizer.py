"""Trains two networks in turns, and shrinks the weights of one of them by hand."""

import torch
from torch import nn

torch.manual_seed(4)
generator = nn.Sequential(nn.Linear(2, 6), nn.ReLU(), nn.Linear(6, 2))
critic = nn.Sequential(nn.Linear(2, 7), nn.LeakyReLU(0.2), nn.Linear(7, 1))
of_generator = torch.optim.SGD(generator.parameters(), lr=0.05)
of_critic = torch.optim.SGD(critic.parameters(), lr=0.05)
for _ in range(6):
    real, fake = torch.randn(16, 2) + 1, generator(torch.randn(16, 2))
    of_critic.zero_grad()
    (critic(fake.detach()).mean() - critic(real).mean()).backward()
    of_critic.step()
    with torch.no_grad():
        for parameter in critic.parameters():
            parameter *= 0.99
    of_generator.zero_grad()
    (-critic(fake).mean()).backward()
    of_generator.step()
