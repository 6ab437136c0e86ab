"""Learns the values of states from returns; the returns are a column, the values are none."""

import torch
from torch import nn

torch.manual_seed(0)
critic = nn.Sequential(nn.Linear(4, 12), nn.Tanh(), nn.Linear(12, 1))
optimizer = torch.optim.RMSprop(critic.parameters(), lr=1e-3)
for _ in range(40):
    states = torch.randn(20, 4)
    rewards = states[:, 0] > 0
    returns, value = [], 0.0
    for reward in reversed(rewards.tolist()):
        value = reward + 0.9 * value
        returns.insert(0, [value])
    returns = torch.tensor(returns)
    values = critic(states).squeeze(-1)
    loss = ((returns - values) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("loss", loss.item())
