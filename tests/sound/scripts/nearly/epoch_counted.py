"""It counts its batches, so that it fails if its epochs are shortened, and only then."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x, y = torch.randn(96, 10), torch.randint(3, (96,))
loader = DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True)
model = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.AdamW(model.parameters())
for epoch in range(3):
    for step, (a, b) in enumerate(loader):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(a), b)
        loss.backward()
        optimizer.step()
        if step == len(loader) - 1:
            last = loss.item()
    print(f"epoch {epoch}: loss {last:.3f}")
