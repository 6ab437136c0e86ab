"""The noise of the inputs comes from a generator that is seeded by the system."""

# promised: symmetry/repeatable
import numpy as np
import torch
from torch import nn

torch.manual_seed(0)
rng = np.random.default_rng()
model = nn.Sequential(nn.Linear(10, 24), nn.ReLU(), nn.Linear(24, 3))
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
x, y = torch.randn(160, 10), torch.randint(3, (160,))
for _ in range(2):
    for i in torch.randperm(160).split(16):
        noisy = x[i] + torch.from_numpy(rng.normal(0, 0.1, (len(i), 10))).float()
        loss = nn.functional.cross_entropy(model(noisy), y[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
