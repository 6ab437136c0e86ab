"""A buffer is filled again for each sample, and from_numpy() makes no copy of it."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(0)


class Windows(Dataset):
    def __init__(self, n=120):
        rng = np.random.RandomState(0)
        self.signal = rng.randn(n + 16).astype(np.float32)
        self.labels = rng.randint(0, 3, n)
        self.buffer = np.empty(16, dtype=np.float32)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):  # loop/batches
        self.buffer[:] = self.signal[i : i + 16]
        self.buffer -= self.buffer.mean()
        return torch.from_numpy(self.buffer), int(self.labels[i])


loader = DataLoader(Windows(), batch_size=12, shuffle=True)
model = nn.Sequential(nn.Linear(16, 24), nn.ReLU(), nn.Linear(24, 3))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for epoch in range(3):
    for x, y in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
