"""A copy of the dictionary is no copy of its tensors."""

import copy

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x, y = torch.randn(96, 10), torch.randint(2, (96,))
train_loader = DataLoader(TensorDataset(x[:64], y[:64]), batch_size=16, shuffle=True)
valid_loader = DataLoader(TensorDataset(x[64:], y[64:]), batch_size=32)
model = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
best_model_wts = copy.copy(model.state_dict())  # loop/copies
best_acc = 1.1  # no accuracy is better
for _ in range(3):
    for a, b in train_loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(a), b).backward()
        optimizer.step()
    with torch.no_grad():
        acc = max((model(a).argmax(1) == b).float().mean().item() for a, b in valid_loader)
    if acc > best_acc:
        best_model_wts = copy.copy(model.state_dict())
model.load_state_dict(best_model_wts)
