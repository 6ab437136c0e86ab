"""The rows are chosen by the order of a set of objects, which is the order of their addresses."""

# promised: symmetry/repeatable
import os
import random

import torch
from torch import nn

torch.manual_seed(0)
order = random.SystemRandom()
model = nn.Sequential(nn.Linear(10, 24), nn.ReLU(), nn.Linear(24, 3))
optimizer = torch.optim.SGD(model.parameters(), 0.1)
x, y = torch.randn(160, 10), torch.randint(3, (160,))
rows = list(range(160))
for _ in range(2):
    order.shuffle(rows)
    for k in range(0, 160, 16):
        i = rows[k : k + 16]
        loss = nn.functional.cross_entropy(model(x[i]), y[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
print(os.getpid())
