"""Two data sets of their own hold different rows, and a cosine that ends with the training."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x, y = torch.randn(192, 8), torch.randint(3, (192,))
training, validation = TensorDataset(x[:128], y[:128]), TensorDataset(x[128:], y[128:])
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), 0.1)
loader = DataLoader(training, 16, shuffle=True)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=3 * len(loader))
for _ in range(3):
    for a, b in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(a), b).backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        print(sum((model(a).argmax(1) == b).sum().item() for a, b in DataLoader(validation, 32)))
