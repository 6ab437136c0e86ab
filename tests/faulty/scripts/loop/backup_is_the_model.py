"""An average is evaluated in the model itself, and the weights before that are lost."""

import copy

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x, y = torch.randn(96, 10), torch.randn(96, 1)
train_loader = DataLoader(TensorDataset(x[:64], y[:64]), batch_size=16, shuffle=True)
valid_loader = DataLoader(TensorDataset(x[64:], y[64:]), batch_size=32)
model = nn.Linear(10, 1)
average = copy.deepcopy(model.state_dict())
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for epoch in range(3):
    for a, b in train_loader:
        optimizer.zero_grad()
        nn.functional.mse_loss(model(a), b).backward()
        optimizer.step()
        for name, value in model.state_dict().items():
            average[name].lerp_(value, 0.1)
    backup = model.state_dict()  # loop/copies
    model.load_state_dict(average)
    with torch.no_grad():
        print(epoch, [nn.functional.mse_loss(model(a), b).item() for a, b in valid_loader])
    model.load_state_dict(backup)
