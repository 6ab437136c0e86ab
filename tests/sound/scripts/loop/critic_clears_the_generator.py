"""The critic's loss reaches the generator, whose gradients are cleared before its own backward."""

import torch
from torch import nn

torch.manual_seed(0)
generator = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
critic = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
for_generator = torch.optim.Adam(generator.parameters(), 2e-4)
for_critic = torch.optim.Adam(critic.parameters(), 2e-4)
criterion = nn.BCEWithLogitsLoss()
points = torch.randn(128, 2)
for _ in range(2):
    for real in points[torch.randperm(128)].split(16):
        fake = generator(torch.randn(16, 8))
        for_critic.zero_grad()
        loss = criterion(critic(real), torch.ones(16, 1)) + criterion(
            critic(fake), torch.zeros(16, 1)
        )
        loss.backward(retain_graph=True)
        for_critic.step()
        for_generator.zero_grad()
        criterion(critic(generator(torch.randn(16, 8))), torch.ones(16, 1)).backward()
        for_generator.step()
