"""Pseudo labels are made in evaluation mode, and trained on in training mode."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
labelled = DataLoader(TensorDataset(torch.randn(32, 8), torch.randint(3, (32,))), 8, shuffle=True)
unlabelled = DataLoader(TensorDataset(torch.randn(96, 8)), 16, shuffle=True)
model = nn.Sequential(
    nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3)
)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


def update(x, y):
    model.train()
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


for _ in range(3):
    for x, y in labelled:
        update(x, y)
    for (u,) in unlabelled:
        model.eval()
        with torch.no_grad():
            confidence, label = model(u).softmax(1).max(1)
        update(u, label)
