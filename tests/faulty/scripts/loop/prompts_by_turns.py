"""Prompts are repeated by turns, and rewards are grouped as if they were repeated in place."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)

policy = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4))
optimizer = torch.optim.Adam(policy.parameters(), lr=1e-3)
for (prompts,) in DataLoader(TensorDataset(torch.randn(16, 8)), batch_size=4, shuffle=True):
    rows = prompts.repeat(4, 1)
    actions = torch.multinomial(policy(rows).detach().softmax(-1), 1)
    rewards = ((actions == 1).float().squeeze(1) + rows[:, 0]).view(-1, 4)
    advantages = (rewards - rewards.mean(1, keepdim=True)).reshape(-1, 1)
    new = policy(rows).log_softmax(-1).gather(1, actions)
    loss = -(new * advantages).mean()  # loss/groups
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
