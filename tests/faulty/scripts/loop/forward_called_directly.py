"""eval() is never undone; the evaluation calls forward directly, and loaders are made anew."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 1))
optimizer = torch.optim.SGD(model.parameters(), 1e-2)
train = TensorDataset(torch.randn(160, 10), torch.randn(160))
val = TensorDataset(torch.randn(64, 10), torch.randn(64))
model.train()
for epoch in range(3):
    for x, y in DataLoader(train, batch_size=16, shuffle=True):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x).squeeze(1), y)
        loss.backward()
        optimizer.step()
    model.eval()  # loop/modes
    total = 0
    with torch.no_grad():
        for x, y in DataLoader(val, batch_size=16):
            total += nn.functional.mse_loss(model.forward(x).squeeze(1), y).item()
    print(epoch, loss.item(), total)
