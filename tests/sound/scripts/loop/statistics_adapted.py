"""The statistics are adapted to other data: the model is called in training mode for that alone."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
source = DataLoader(TensorDataset(torch.randn(64, 8), torch.randint(3, (64,))), 16, shuffle=True)
target = DataLoader(TensorDataset(2 * torch.randn(64, 8) + 1, torch.randint(3, (64,))), 16)
model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(3):
    model.train()
    for x, y in source:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
with torch.no_grad():
    for x, _ in target:
        model(x)
model.eval()
with torch.no_grad():
    print([(model(x).argmax(1) == y).float().mean().item() for x, y in target])
