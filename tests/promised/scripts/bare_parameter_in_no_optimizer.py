"""A learnt temperature beside the model: no optimiser holds it."""

# promised: training/moves or loop/gradients
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(16, 24), nn.ReLU(), nn.Linear(24, 8))
temperature = nn.Parameter(torch.tensor(0.5))
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
data = torch.randn(160, 16)
for _ in range(2):
    for x in data[torch.randperm(160)].split(16):
        a, b = (
            nn.functional.normalize(model(x + 0.1 * torch.randn_like(x)), dim=1) for _ in range(2)
        )
        loss = nn.functional.cross_entropy(a @ b.T * temperature.exp(), torch.arange(len(x)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
