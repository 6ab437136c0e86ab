"""A schedule by hand gives all groups one rate."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)

model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(
    [{"params": model[0].parameters(), "lr": 0.01}, {"params": model[2].parameters(), "lr": 0.1}]
)
for step in range(6):
    for group in optimizer.param_groups:
        group["lr"] = 0.1 * 0.9**step
    optimizer.zero_grad()
    F.cross_entropy(model(torch.randn(16, 8)), torch.randint(3, (16,))).backward()
    optimizer.step()  # loop/schedule
