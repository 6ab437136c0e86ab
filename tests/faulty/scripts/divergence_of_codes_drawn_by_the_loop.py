"""The loop draws the codes of an autoencoder; their divergence is a sum, and the error a mean."""

import torch
from torch import nn

torch.manual_seed(0)
images = torch.rand(96, 20)
encoder = nn.Sequential(nn.Linear(20, 16), nn.ELU(), nn.Linear(16, 8))
decoder = nn.Sequential(nn.Linear(4, 16), nn.ELU(), nn.Linear(16, 20))
optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-3)
for _ in range(3):
    order = torch.randperm(len(images))
    for start in range(0, len(images), 16):
        x = images[order[start : start + 16]]
        mean, log = encoder(x).chunk(2, dim=1)
        codes = mean + log.exp() * torch.randn_like(mean)
        error = ((decoder(codes) - x) ** 2).sum(1).mean()
        divergence = 0.5 * (mean**2 + (2 * log).exp() - 2 * log - 1).sum()
        optimizer.zero_grad()
        (error + divergence).backward()
        optimizer.step()
