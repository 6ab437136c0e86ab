"""Updates by hand of two micro-batches, with an evaluation behind each epoch."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x, y = torch.randn(160, 8), torch.randint(3, (160,))
loader = DataLoader(TensorDataset(x[:128], y[:128]), batch_size=16, shuffle=True)
held_out = DataLoader(TensorDataset(x[128:], y[128:]), batch_size=16)
model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3))
for _ in range(4):
    model.train()
    for number, (a, b) in enumerate(loader):
        nn.functional.cross_entropy(model(a), b).backward()
        if number % 2:
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter -= 0.1 / 2 * parameter.grad
            model.zero_grad()
    model.eval()
    with torch.no_grad():
        right = sum(int((model(a).argmax(1) == b).sum()) for a, b in held_out)
    print(right / 32)
