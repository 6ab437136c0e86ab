"""A GAN whose generator, with BatchNorm, makes the critic's samples without gradients."""

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
data = torch.randn(160, 6)
generator = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 6))
critic = nn.Sequential(nn.Linear(6, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
steps = [torch.optim.Adam(net.parameters(), 1e-3) for net in (generator, critic)]
for _ in range(3):
    for real in data.split(16):
        with torch.no_grad():
            fake = generator(torch.randn(16, 4))
            print(F.mse_loss(fake, real).item())  # for curiosity
        steps[1].zero_grad()
        (critic(fake).mean() - critic(real).mean()).backward()
        steps[1].step()
        steps[0].zero_grad()
        (-critic(generator(torch.randn(16, 4))).mean()).backward()
        steps[0].step()
