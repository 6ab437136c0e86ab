"""Maps of cities are repeated by turns, and tours are compared as if they were repeated in place.

The last city of a tour is the only one that is left: nothing is drawn there.
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)

policy = nn.Sequential(nn.Flatten(), nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4))
optimizer = torch.optim.Adam(policy.parameters(), lr=1e-3)
for (maps,) in DataLoader(TensorDataset(torch.rand(16, 4, 2)), batch_size=4, shuffle=True):
    tiled = maps.repeat(3, 1, 1)
    scores, seen = policy(tiled), torch.zeros(12, 4, dtype=torch.bool)
    tour, total = [], torch.zeros(12)
    for _ in range(4):
        choice = scores.masked_fill(seen, -torch.inf).log_softmax(-1)
        city = torch.multinomial(choice.detach().exp(), 1)
        total = total + choice.gather(1, city).squeeze(1)
        seen = seen.scatter(1, city, value=True)
        tour.append(city)
    path = tiled.gather(1, torch.stack(tour, 1).expand(-1, -1, 2))
    reward = -(path - path.roll(1, 1)).norm(dim=2).sum(1).view(4, 3)
    advantages = reward - reward.mean(1, keepdim=True)
    loss = -(total.view(4, 3) * advantages).mean()  # loss/groups
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
