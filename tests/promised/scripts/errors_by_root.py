"""A root of a mean square is averaged over batches, the last of which is smaller."""

# promised: loop/metrics as a note

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(1)
x = torch.randn(120, 6)
y = x[:, :1] * x[:, 1:2]
train_set, test_set = random_split(TensorDataset(x, y), [80, 40])
train_loader = DataLoader(train_set, batch_size=10, shuffle=True)
test_loader = DataLoader(test_set, batch_size=10)
model = nn.Sequential(nn.Linear(6, 12), nn.GELU(), nn.Linear(12, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)


def rmse(loader):
    model.eval()
    total = 0.0
    with torch.no_grad():
        for inputs, targets in loader:
            total += (model(inputs) - targets).square().mean().sqrt()
    model.train()
    return total / len(loader)


for _ in range(3):
    for inputs, targets in train_loader:
        optimizer.zero_grad()
        loss = (model(inputs) - targets).square().mean()
        loss.backward()
        optimizer.step()
    print("rmse", rmse(test_loader).item())
