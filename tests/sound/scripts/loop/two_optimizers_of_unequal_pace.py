"""One loss trains two parts: one of them with each batch, the other with the sum of two batches."""

import torch
from torch import nn

torch.manual_seed(0)
body, head = nn.Linear(6, 12), nn.Linear(12, 3)
slow = torch.optim.SGD(body.parameters(), 0.05)
fast = torch.optim.SGD(head.parameters(), 0.05)
x, y = torch.randn(128, 6), torch.randint(3, (128,))
for _ in range(2):
    for n, i in enumerate(torch.randperm(128).split(16)):
        fast.zero_grad()
        nn.functional.cross_entropy(head(torch.relu(body(x[i]))), y[i]).backward()
        fast.step()
        if n % 2:
            slow.step()
            slow.zero_grad()
