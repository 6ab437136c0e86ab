"""The gradients are cleared between backward and step."""

# promised: loop/gradients
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
x, y = torch.randn(160, 10), torch.randn(160, 1)
for _ in range(2):
    for i in torch.randperm(160).split(16):
        loss = nn.functional.l1_loss(model(x[i]), y[i])
        loss.backward()
        model.zero_grad()
        optimizer.step()
