"""The rate is divided as an integer."""

# promised: training/moves or loop/gradients
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(10, 24), nn.ReLU(), nn.Linear(24, 3))
optimizer = torch.optim.AdamW(model.parameters(), lr=1 // 1000)
x, y = torch.randn(160, 10), torch.randint(3, (160,))
for _ in range(2):
    for i in torch.randperm(160).split(16):
        loss = nn.functional.cross_entropy(model(x[i]), y[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
