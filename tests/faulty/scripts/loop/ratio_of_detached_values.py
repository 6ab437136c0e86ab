"""The ratio of a policy to itself has no gradient: both sides are detached."""

import torch
from torch import nn

torch.manual_seed(0)

policy = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4))
optimizer = torch.optim.Adam(policy.parameters(), lr=1e-3)
for _ in range(4):
    states = torch.randn(16, 8)
    actions = torch.multinomial(policy(states).detach().softmax(-1), 1)
    advantages = (actions == 1).float() - 0.5
    new = policy(states).log_softmax(-1).gather(1, actions)
    kept = new.detach()  # loss/influence
    ratio = (kept - kept.mean()).exp()
    loss = -(ratio * advantages).mean() + 0.1 * new.exp().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
