"""The sampler gets a weight for each class, so it draws the first three samples alone."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

torch.manual_seed(0)
y = torch.distributions.Categorical(torch.tensor([0.7, 0.2, 0.1])).sample((150,))
x = torch.randn(150, 8) + y[:, None]
counts = torch.bincount(y, minlength=3)
weights = 1.0 / counts.float()
sampler = WeightedRandomSampler(weights, num_samples=len(y))
loader = DataLoader(TensorDataset(x, y), batch_size=15, sampler=sampler)  # loop/batches
model = nn.Sequential(nn.Linear(8, 20), nn.ReLU(), nn.Linear(20, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for epoch in range(4):
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(xb), yb)
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
