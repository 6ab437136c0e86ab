"""A schedule by hand writes one rate into all groups, which were to have two."""

# promised: loop/observing or loop/turns or loop/schedule
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
body, head = nn.Sequential(nn.Linear(10, 24), nn.ReLU()), nn.Linear(24, 3)
groups = [
    {"params": body.parameters(), "lr": 1e-3},
    {"params": head.parameters(), "lr": 1e-2},
]
optimizer = torch.optim.SGD(groups)
data = TensorDataset(torch.randn(160, 10), torch.randint(3, (160,)))
for epoch in range(4):
    for group in optimizer.param_groups:
        group["lr"] = 1e-2 * 0.5**epoch
    for x, y in DataLoader(data, 16, shuffle=True):
        optimizer.zero_grad()
        nn.functional.cross_entropy(head(body(x)), y).backward()
        optimizer.step()
