"""Contrasts views with the codes of an encoder that follows, also before the first step."""

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
images = torch.randn(48, 6)
net, behind = (nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 4)) for _ in range(2))
behind.load_state_dict(net.state_dict()), behind.requires_grad_(requires_grad=False)
optimizer = torch.optim.Adam(net.parameters(), 1e-2)
for _ in range(3):
    for rows in torch.randperm(48).split(12):
        one, other = (images[rows] + 0.1 * torch.randn(12, 6) for _ in range(2))
        with torch.no_grad():
            for slow, fast in zip(behind.parameters(), net.parameters(), strict=True):
                slow.mul_(0.9).add_(fast, alpha=0.1)
            keys = F.normalize(behind(other), dim=1)
        optimizer.zero_grad()
        scores = F.normalize(net(one), dim=1) @ keys.T / 0.2
        F.cross_entropy(scores, torch.arange(12)).backward()
        optimizer.step()
