"""Only the value of a term is left out: its gradient counts."""

# noted: loss/term
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(10, 24), nn.ReLU(), nn.Linear(24, 3))
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
x, y = torch.randn(160, 10), torch.randint(3, (160,))
for _ in range(2):
    for i in torch.randperm(160).split(16):
        scores = model(x[i])
        penalty = scores.pow(2).mean()
        loss = nn.functional.cross_entropy(scores, y[i]) + (penalty - penalty.detach())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
