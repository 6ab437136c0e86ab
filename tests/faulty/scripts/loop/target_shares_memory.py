"""The target network is made of the online network's own parameters."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
data = TensorDataset(
    torch.randn(64, 4), torch.randint(2, (64, 1)), torch.randn(64), torch.randn(64, 4)
)
loader = DataLoader(data, batch_size=16, shuffle=True)


def network():
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))


online, target = network(), network()
for p, q in zip(online.parameters(), target.parameters(), strict=True):
    q.data = p.data
optimizer = torch.optim.Adam(online.parameters())
for _ in range(4):
    for state, action, reward, following in loader:
        with torch.no_grad():
            goal = reward + 0.9 * target(following).max(1).values
        loss = nn.functional.mse_loss(online(state).gather(1, action).squeeze(1), goal)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for p, q in zip(online.parameters(), target.parameters(), strict=True):
        q.data.copy_(p.data)  # loop/copies
