"""The samples are not detached, so that the critic's loss reaches the generator's update."""

import torch
from torch import nn

torch.manual_seed(0)
G = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 2))
D = nn.Sequential(nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))
for_g = torch.optim.Adam(G.parameters(), 2e-4, betas=(0.5, 0.999))
for_d = torch.optim.Adam(D.parameters(), 2e-4, betas=(0.5, 0.999))
bce = nn.BCEWithLogitsLoss()
angles = torch.rand(640) * 6.28
points = torch.stack([angles.cos(), angles.sin()], 1) + 0.05 * torch.randn(640, 2)
for epoch in range(3):
    for i in torch.randperm(640).split(64):
        real, n = points[i], len(i)
        for_g.zero_grad()
        for_d.zero_grad()
        fake = G(torch.randn(n, 16))
        d_loss = bce(D(real), torch.ones(n, 1)) + bce(D(fake), torch.zeros(n, 1))
        d_loss.backward(retain_graph=True)
        for_d.step()
        g_loss = bce(D(G(torch.randn(n, 16))), torch.ones(n, 1))
        g_loss.backward()
        for_g.step()  # loop/gradients
    print(epoch, d_loss.item(), g_loss.item())
