"""Policy gradients on a game of one move: its logits are logarithms of probabilities."""

import torch
from torch import nn
from torch.distributions import Categorical

torch.manual_seed(0)
policy = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 3), nn.LogSoftmax(dim=1))
optimizer = torch.optim.Adam(policy.parameters(), 1e-2)
for _ in range(12):
    states = torch.randn(32, 4)
    choices = Categorical(logits=policy(states))
    actions = choices.sample()
    rewards = (actions == states[:, :3].argmax(1)).float()
    loss = -(choices.log_prob(actions) * (rewards - rewards.mean())).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
