"""Each epoch makes its loader and its data set anew, with the same order."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
inputs, labels = torch.randn(96, 6), torch.randint(3, (96,))
model = nn.Linear(6, 3)
optimizer = torch.optim.SGD(model.parameters(), 0.1)
for _ in range(3):
    data, generator = TensorDataset(inputs, labels), torch.Generator().manual_seed(0)
    for x, y in DataLoader(data, 8, shuffle=True, generator=generator):  # loop/batches
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
