"""All but the norms is frozen, the head as well, and the optimiser holds the head only."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
data = TensorDataset(torch.randn(96, 8), torch.randint(3, (96,)))
body = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU())
head = nn.Linear(16, 3)
model = nn.Sequential(body, head)
for name, parameter in model.named_parameters():
    if name not in ("0.1.weight", "0.1.bias"):
        parameter.requires_grad = False
optimizer = torch.optim.Adam(head.parameters(), lr=1e-3)
for _ in range(2):
    for x, y in DataLoader(data, 16, shuffle=True):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
