"""The logarithm of a probability that is exactly zero."""

# promised: training/finite or training/scale
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), 0.1)
x, y = 300 * torch.randn(160, 6), torch.randint(3, (160,))
for _ in range(2):
    for i in torch.randperm(160).split(16):
        p = torch.softmax(model(x[i]), 1)
        loss = -(nn.functional.one_hot(y[i], 3) * torch.log(p)).sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
