"""Samples are shuffled behind the prompts, and the numbers of their groups are not."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)

policy = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4))
optimizer = torch.optim.Adam(policy.parameters(), lr=1e-3)
for (prompts,) in DataLoader(TensorDataset(torch.randn(16, 8)), batch_size=4, shuffle=True):
    rows, group = prompts.repeat_interleave(4, 0), torch.arange(4).repeat_interleave(4)
    actions = torch.multinomial(policy(rows).detach().softmax(-1), 1)
    order = torch.randperm(16)
    rows, actions = rows[order], actions[order]
    rewards = (actions == 1).float().squeeze(1) + rows[:, 0]
    means = torch.zeros(4).index_add_(0, group, rewards) / 4
    advantages = (rewards - means[group])[:, None]
    new = policy(rows).log_softmax(-1).gather(1, actions)
    ratio = (new - new.detach()).exp()  # 1 for all prompts
    loss = -(ratio * advantages).mean()  # loss/groups
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
