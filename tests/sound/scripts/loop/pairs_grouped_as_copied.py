"""Prompts of two tokens are copied as a whole, and so are rewards grouped; places on a board."""

import torch
from torch import nn

torch.manual_seed(0)

policy = nn.Sequential(nn.Embedding(12, 16), nn.Flatten(), nn.Linear(32, 12))
optimizer = torch.optim.Adam(policy.parameters(), lr=1e-3)


def update(places, rewards, answers):
    advantages = (rewards - rewards.mean(0)).flatten()
    new = policy(places).log_softmax(-1).gather(1, answers[:, None]).squeeze(1)
    optimizer.zero_grad()
    (-(advantages * new).mean()).backward()
    optimizer.step()


board = torch.randperm(144)[:6]
for step in range(4):
    if step % 2:
        places = torch.cat([torch.randint(12, (6, 2))] * 4)
    else:  # a walk that stays four steps at each place, and a baseline of every sixth step
        places = torch.stack([board // 12, board % 12], 1)[torch.arange(24) // 4]
    with torch.no_grad():
        answers = torch.multinomial(policy(places).softmax(-1), 1).squeeze(1)
    rewards = (answers == places.sum(1) % 12).float() + answers / 120
    update(places, rewards.reshape(4, 6), answers)
