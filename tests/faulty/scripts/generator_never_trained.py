"""A GAN: the optimiser of the generator is given the critic's parameters."""

import torch
from torch import nn

torch.manual_seed(0)
generator = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 6))
critic = nn.Sequential(nn.Linear(6, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
generator_step = torch.optim.Adam(critic.parameters(), 1e-3)
critic_step = torch.optim.Adam(critic.parameters(), 1e-3)
loss = nn.BCEWithLogitsLoss()
data = torch.randn(320, 6).tanh()

for _ in range(3):
    for real in data.split(32):
        ones, zeros = torch.ones(32, 1), torch.zeros(32, 1)
        fake = generator(torch.randn(32, 4))
        critic_step.zero_grad()
        (loss(critic(real), ones) + loss(critic(fake.detach()), zeros)).backward()
        critic_step.step()
        generator_step.zero_grad()
        loss(critic(fake), ones).backward()
        generator_step.step()
