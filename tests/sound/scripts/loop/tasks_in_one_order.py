"""Tasks with other inputs follow each other, in one order; two views of a sample are paired."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
inputs, labels = torch.randn(96, 6), torch.randint(3, (96,))
model = nn.Linear(6, 3)
optimizer = torch.optim.SGD(model.parameters(), 0.1)


def loader(x):
    generator = torch.Generator().manual_seed(0)
    return DataLoader(TensorDataset(x, labels), 8, shuffle=True, generator=generator)


for _ in range(3):
    permuted = inputs[:, torch.randperm(6)]
    for x, y in loader(permuted):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
for (x, y), (same, _) in zip(loader(inputs), loader(inputs), strict=True):
    scores = model(x + 0.1 * torch.randn_like(x))
    other = model(same + 0.1 * torch.randn_like(x))
    optimizer.zero_grad()
    (F.cross_entropy(scores, y) + F.mse_loss(scores, other)).backward()
    optimizer.step()
