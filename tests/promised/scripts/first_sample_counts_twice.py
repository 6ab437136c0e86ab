"""A running sum begins with the first loss, and adds it again."""

# promised: symmetry/samples
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(10, 24), nn.Tanh(), nn.Linear(24, 1))
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
x, y = torch.randn(160, 10), torch.randn(160)
for _ in range(2):
    for i in torch.randperm(160).split(16):
        errors = (model(x[i]).squeeze(1) - y[i]) ** 2
        total = errors[0]
        for error in errors:
            total = total + error
        loss = total / len(errors)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
