"""Validates on a few batches, with gradients that lead to no backward."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 4))
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
training = TensorDataset(torch.randn(48, 8), torch.randint(4, (48,)))
validation = TensorDataset(torch.randn(48, 8), torch.randint(4, (48,)))
loader = DataLoader(training, 8, shuffle=True)


def validate():
    model.eval()
    batches = iter(DataLoader(validation, 8, shuffle=True))
    for _ in range(2):
        x, y = next(batches)
        loss = nn.functional.cross_entropy(model(x), y)
    print(f"validation {loss.item():.3f}")
    model.train()


for _ in range(3):
    for i, (x, y) in enumerate(loader):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        if i % 2 == 1:
            validate()
