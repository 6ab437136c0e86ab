"""Prompts of two tokens are copied as a whole, and rewards grouped as if each was repeated."""

import torch
from torch import nn

torch.manual_seed(0)

policy = nn.Sequential(nn.Embedding(12, 16), nn.Flatten(), nn.Linear(32, 12))
optimizer = torch.optim.Adam(policy.parameters(), lr=1e-3)
for _ in range(4):
    prompts = torch.cat([torch.randint(12, (6, 2))] * 4)
    with torch.no_grad():
        answers = torch.multinomial(policy(prompts).softmax(-1), 1).squeeze(1)
    rewards = ((answers == prompts.sum(1) % 12).float() + answers / 120).reshape(6, 4)
    advantages = (rewards - rewards.mean(1, keepdim=True)).flatten()
    new = policy(prompts).log_softmax(-1).gather(1, answers[:, None]).squeeze(1)
    loss = -(advantages * new).mean()  # loss/groups
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
