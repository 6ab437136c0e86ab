"""Trains two critics, each with a target network that follows it: they are units as a whole."""

import torch
from torch import nn

torch.manual_seed(0)


def critic():
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))


qf1, qf2, qf1_target, qf2_target = critic(), critic(), critic(), critic()
qf1_target.load_state_dict(qf1.state_dict())
qf2_target.load_state_dict(qf2.state_dict())
optimizer = torch.optim.Adam([*qf1.parameters(), *qf2.parameters()], 1e-3)
for _ in range(40):
    x, following, reward = torch.randn(16, 8), torch.randn(16, 8), torch.randn(16, 1)
    with torch.no_grad():
        target = reward + 0.9 * torch.min(qf1_target(following), qf2_target(following))
    loss = nn.functional.mse_loss(qf1(x), target) + nn.functional.mse_loss(qf2(x), target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    for own, follower in ((qf1, qf1_target), (qf2, qf2_target)):
        for p, q in zip(own.parameters(), follower.parameters(), strict=True):
            q.data.copy_(0.005 * p.data + 0.995 * q.data)
