"""The uncertainty of a model is sampled with dropout, ten times for each batch."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
train = DataLoader(TensorDataset(torch.randn(64, 8), torch.randn(64, 1)), 16, shuffle=True)
test = DataLoader(TensorDataset(torch.randn(32, 8), torch.randn(32, 1)), 16)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters())
for epoch in range(3):
    model.train()
    for x, y in train:
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
    model.train()
    with torch.no_grad():
        for x, y in test:
            samples = torch.stack([model(x) for _ in range(10)])  # nearly loop/evaluation
            print(epoch, samples.std(0).mean().item(), (samples.mean(0) - y).abs().mean().item())
