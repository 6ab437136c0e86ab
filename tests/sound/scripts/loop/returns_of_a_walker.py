"""Returns of a walker who goes to and fro, so that each of two places comes as often."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)

policy = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 2))
optimizer = torch.optim.Adam(policy.parameters(), lr=1e-3)
for _ in range(8):
    places, actions, rewards = [], [], []
    for step in range(8):
        place = F.one_hot(torch.tensor(step % 2), 4).float()
        with torch.no_grad():
            action = torch.multinomial(policy(place).softmax(-1), 1).item()
        places.append(step % 2)
        actions.append(action)
        rewards.append(float(action == step % 2))
    states = F.one_hot(torch.tensor(places), 4).float()
    returns = torch.tensor(rewards).flip(0).cumsum(0).flip(0)
    new = policy(states).log_softmax(-1).gather(1, torch.tensor(actions)[:, None]).squeeze(1)
    loss = -(new * returns).sum()  # nearly loss/groups
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
