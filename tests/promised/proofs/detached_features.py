"""The features are detached, and so the body is frozen."""

# noted: training/cut
import torch
from torch import nn

torch.manual_seed(0)
body, head = nn.Linear(10, 24), nn.Linear(24, 3)
optimizer = torch.optim.Adam([*body.parameters(), *head.parameters()], 1e-3)
x, y = torch.randn(160, 10), torch.randint(3, (160,))
for _ in range(2):
    for i in torch.randperm(160).split(16):
        h = body(x[i]).relu().detach()
        loss = nn.functional.cross_entropy(head(h), y[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
