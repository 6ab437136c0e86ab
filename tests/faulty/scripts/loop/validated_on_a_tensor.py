"""BatchNorm learns from the validation set, which is one tensor: no loader, and no eval()."""

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(120, 8), torch.randint(3, (120,))
train_x, train_y, test_x, test_y = x[:80], y[:80], x[80:], y[80:]
model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(6):
    model.train()
    for rows in torch.randperm(80).split(16):
        optimizer.zero_grad()
        F.cross_entropy(model(train_x[rows]), train_y[rows]).backward()
        optimizer.step()
    with torch.no_grad():
        scores = model(test_x)  # loop/evaluation
        print((scores.argmax(1) == test_y).float().mean().item())
