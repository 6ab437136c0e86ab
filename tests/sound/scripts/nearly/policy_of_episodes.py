"""Each episode of an update counts the same, however long it is; there is no loader."""

import torch
from torch import nn

EPISODES = 4
torch.manual_seed(0)
policy = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4))
optimizer = torch.optim.Adam(policy.parameters(), 1e-3)
for _ in range(6):
    optimizer.zero_grad()
    for length in torch.randint(3, 20, (EPISODES,)).tolist():
        states, actions = torch.randn(length, 8), torch.randint(4, (length, 1))
        advantages = torch.randn(length)
        likelihoods = policy(states).log_softmax(-1).gather(-1, actions)[:, 0]
        ratio = (likelihoods - likelihoods.detach()).exp()
        clipped = torch.min(ratio * advantages, ratio.clamp(0.8, 1.2) * advantages)
        (-clipped.mean() / EPISODES).backward()
    optimizer.step()
