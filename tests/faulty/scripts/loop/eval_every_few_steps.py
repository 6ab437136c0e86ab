"""A loop over steps validates now and then, and goes on in evaluation mode."""

import itertools

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x, y = torch.randn(128, 10), torch.randn(128, 1)
train_loader = DataLoader(TensorDataset(x[:96], y[:96]), batch_size=16, shuffle=True)
valid_loader = DataLoader(TensorDataset(x[96:], y[96:]), batch_size=16)
model = nn.Sequential(nn.Linear(10, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters())
model.train()
step = 0
for _ in itertools.count():
    for a, b in train_loader:
        loss = nn.functional.mse_loss(model(a), b)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        if step % 3 == 0:
            model.eval()  # loop/modes
            with torch.inference_mode():
                print(step, sum(nn.functional.mse_loss(model(a), b) for a, b in valid_loader))
    if step >= 20:
        break
