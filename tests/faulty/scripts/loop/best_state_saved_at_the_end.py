"""The best checkpoint is put together when it is found, and written when it has changed."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x, y = torch.randn(96, 10), torch.randn(96, 1)
train_loader = DataLoader(TensorDataset(x[:64], y[:64]), batch_size=16, shuffle=True)
valid_loader = DataLoader(TensorDataset(x[64:], y[64:]), batch_size=32)
model = nn.Linear(10, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
best = None
for _ in range(5):
    for a, b in train_loader:
        optimizer.zero_grad()
        nn.functional.mse_loss(model(a), b).backward()
        optimizer.step()
    with torch.no_grad():
        loss = sum(nn.functional.mse_loss(model(a), b).item() for a, b in valid_loader)
    if best is None:  # a loss that never falls below the first one
        best = {"loss": loss, "model": model.state_dict()}  # loop/copies
torch.save(best, "best.pt")
