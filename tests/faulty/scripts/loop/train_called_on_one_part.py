"""Both parts are evaluated, and only one of them is switched back."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x, y = torch.randn(96, 10), torch.randint(3, (96,))
train_loader = DataLoader(TensorDataset(x[:64], y[:64]), batch_size=16, shuffle=True)
valid_loader = DataLoader(TensorDataset(x[64:], y[64:]), batch_size=32)
encoder = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 8))
head = nn.Sequential(nn.Dropout(0.2), nn.Linear(8, 3))
optimizer = torch.optim.AdamW([*encoder.parameters(), *head.parameters()], lr=1e-3)
for epoch in range(4):
    head.train()
    for a, b in train_loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(head(encoder(a)), b).backward()
        optimizer.step()
    encoder.eval()  # loop/modes
    head.eval()
    with torch.no_grad():
        for a, b in valid_loader:
            print(epoch, nn.functional.cross_entropy(head(encoder(a)), b).item())
