"""Old log-probabilities are those of another temperature than the new ones."""

import torch
from torch import nn

torch.manual_seed(0)

policy = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4))
optimizer = torch.optim.Adam(policy.parameters(), lr=1e-3)
for _ in range(3):
    states = torch.randn(32, 8)
    with torch.no_grad():
        actions = torch.multinomial(policy(states).softmax(-1), 1)
        old = (policy(states) / 0.5).log_softmax(-1).gather(1, actions)
    advantages = (actions == 1).float() - 0.5
    for rows in torch.randperm(32).split(16):
        new = policy(states[rows]).log_softmax(-1).gather(1, actions[rows])
        ratio = (new - old[rows]).exp()  # loss/same-policy
        loss = -torch.min(ratio * advantages[rows], ratio.clamp(0.8, 1.2) * advantages[rows]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
