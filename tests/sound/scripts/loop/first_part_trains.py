"""The whole first part of the data is each update's batch, and the second part is evaluated."""

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(160, 8), torch.randint(3, (160,))
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(12):
    loss = F.cross_entropy(model(x[:64]), y[:64])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        print(F.cross_entropy(model(x[64:]), y[64:]).item())
