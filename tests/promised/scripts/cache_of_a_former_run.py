"""A thread changes a factor of the scores while the training runs."""

# promised: symmetry/repeatable
import threading
import time

import torch
from torch import nn

torch.manual_seed(0)
scale = torch.ones(1)


def adapt():
    while True:
        scale.add_(1e-3)
        time.sleep(0.0005)


threading.Thread(target=adapt, daemon=True).start()
model = nn.Sequential(nn.Linear(10, 24), nn.ReLU(), nn.Linear(24, 3))
optimizer = torch.optim.SGD(model.parameters(), 0.1)
x, y = torch.randn(160, 10), torch.randint(3, (160,))
for _ in range(2):
    for a, b in zip(x.split(16), y.split(16), strict=False):
        loss = nn.functional.cross_entropy(model(a) * scale, b)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
