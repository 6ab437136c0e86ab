"""The validation runs without gradients, but with dropout."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x, y = torch.randn(96, 10), torch.randint(3, (96,))
train_loader = DataLoader(TensorDataset(x[:64], y[:64]), batch_size=16, shuffle=True)
valid_loader = DataLoader(TensorDataset(x[64:], y[64:]), batch_size=16)
model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


@torch.no_grad()
def validate():
    losses = []
    for a, b in valid_loader:
        losses.append(nn.functional.cross_entropy(model(a), b).item())  # loop/evaluation
    return sum(losses) / len(losses)


for epoch in range(3):
    model.train()
    for a, b in train_loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(a), b).backward()
        optimizer.step()
    print(epoch, validate())
