"""The seed is set at the begin of each epoch: all have the same order."""

# promised: loop/batches or loop/workers
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

data = TensorDataset(torch.randn(160, 10), torch.randint(4, (160,)))
model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 4))
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
loader = DataLoader(data, 16, shuffle=True)
for _ in range(4):
    torch.manual_seed(42)
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
