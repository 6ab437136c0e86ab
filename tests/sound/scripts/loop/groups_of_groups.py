"""Advantages by prompt that are normalised over the batch, and a baseline for each task."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)

policy = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4))
optimizer = torch.optim.Adam(policy.parameters(), lr=1e-3)
for (prompts,) in DataLoader(TensorDataset(torch.randn(32, 8)), batch_size=8, shuffle=True):
    rows = prompts.repeat_interleave(4, 0)
    actions = torch.multinomial(policy(rows).detach().softmax(-1), 1)
    rewards = (actions == rows[:, :4].argmax(1, keepdim=True)).float() + rows[:, :1]
    grouped = rewards.view(-1, 4)
    own = (grouped - grouped.mean(1, keepdim=True)).reshape(-1, 1)
    whitened = (own - own.mean()) / (own.std() + 1e-6)
    tasks = rewards.view(2, -1)  # each task has four prompts
    by_task = (tasks - tasks.mean(1, keepdim=True)).reshape(-1, 1)
    new = policy(rows).log_softmax(-1).gather(1, actions)
    loss = -(new * whitened).mean()  # nearly loss/groups
    loss = loss - (new * by_task).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
