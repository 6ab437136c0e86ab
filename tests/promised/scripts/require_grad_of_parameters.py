"""The body is to be frozen; the attribute is misspelt."""

# promised: loop/attributes
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(10, 24), nn.ReLU(), nn.Linear(24, 4))
for parameter in model[0].parameters():
    parameter.require_grad = False
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
x, y = torch.randn(160, 10), torch.randint(4, (160,))
for _ in range(2):
    for i in torch.randperm(160).split(16):
        loss = nn.functional.cross_entropy(model(x[i]), y[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
