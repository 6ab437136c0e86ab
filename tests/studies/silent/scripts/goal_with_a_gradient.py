"""Q-learning: the goal is computed with gradients, so values move towards each other."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
value = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 3))
optimizer = torch.optim.Adam(value.parameters(), lr=1e-3)
columns = torch.randn(96, 4), torch.randint(3, (96, 1)), torch.randn(96), torch.randn(96, 4)
for _ in range(2):
    for state, action, reward, following in DataLoader(TensorDataset(*columns), 16, shuffle=True):
        goal = reward + 0.9 * value(following).max(1).values
        loss = nn.functional.mse_loss(value(state).gather(1, action).squeeze(1), goal)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
