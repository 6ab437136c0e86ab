"""Workers augment with a NumPy generator that was made before they were started."""

# promised: loop/batches or loop/workers
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

rng = np.random.default_rng(0)


class Noisy(Dataset):
    def __init__(self):
        self.x, self.y = torch.randn(160, 10), torch.randint(4, (160,))

    def __len__(self):
        return 160

    def __getitem__(self, i):
        return self.x[i] + torch.from_numpy(rng.normal(0, 0.1, 10)).float(), self.y[i]


torch.manual_seed(0)
model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4))
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
loader = DataLoader(Noisy(), 16, shuffle=True, num_workers=2)
for _ in range(3):
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
