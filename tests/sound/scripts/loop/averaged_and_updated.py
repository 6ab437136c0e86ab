"""Stochastic weight averaging: statistics are made anew for the average, in training mode."""

import torch
from torch import nn
from torch.optim.swa_utils import SWALR, AveragedModel, update_bn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
train = DataLoader(TensorDataset(torch.randn(64, 8), torch.randint(3, (64,))), 16, shuffle=True)
test = DataLoader(TensorDataset(torch.randn(32, 8), torch.randint(3, (32,))), 16)
model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3))
averaged = AveragedModel(model)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scheduler = SWALR(optimizer, swa_lr=0.05)
for epoch in range(5):
    for x, y in train:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    if epoch > 0:
        averaged.update_parameters(model)
        scheduler.step()
update_bn(train, averaged)
averaged.eval()
with torch.no_grad():
    print([nn.functional.cross_entropy(averaged(x), y).item() for x, y in test])
