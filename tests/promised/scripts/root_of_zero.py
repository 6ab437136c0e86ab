"""A distance of equal points: the derivative of the root is infinite."""

# promised: training/finite or training/scale
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 4))
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
x, y = torch.randn(160, 6), torch.randint(3, (160,))
for _ in range(2):
    for i in torch.randperm(160).split(16):
        h = model(x[i])
        distances = ((h[:, None] - h[None]) ** 2).sum(-1).sqrt()
        same = (y[i][:, None] == y[i][None]).float()
        loss = (distances * same).mean() + ((1 - distances).clamp(min=0) * (1 - same)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
