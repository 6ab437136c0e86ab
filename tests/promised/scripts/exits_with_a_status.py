"""A check of the metric behind the first epoch ends the script with a status."""

# promised: training/runs
import sys

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.Adam(net.parameters(), 1e-3)
x, y = torch.randn(192, 8), torch.randint(3, (192,))
history = {"loss": [], "accuracy": []}
for _ in range(3):
    for i in torch.randperm(160).split(16):
        loss = nn.functional.cross_entropy(net(x[i]), y[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    history["loss"].append(loss.item())
    if len(history["loss"]) != len(history["accuracy"]):
        print("history is broken")
        sys.exit(2)
