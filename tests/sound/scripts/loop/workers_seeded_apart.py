"""Two loaders with workers: one draws with PyTorch's numbers, one divides its stream."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info


class Noisy(Dataset):
    def __init__(self):
        self.rng = np.random.default_rng(0)

    def __len__(self):
        return 64

    def __getitem__(self, index):
        x = np.float32([index / 64]) + self.rng.normal(0, 0.1, 1).astype("float32")
        return x + 0.1 * torch.rand(1).numpy(), np.float32([index % 2])


class Stream(IterableDataset):
    def __iter__(self):
        worker = get_worker_info()  # never None: the loader has workers
        for index in range(worker.id, 64, worker.num_workers):
            yield torch.tensor([index / 64]), torch.tensor([index % 2.0])


def seeded(worker):  # nearly loop/workers
    get_worker_info().dataset.rng = np.random.default_rng(torch.initial_seed() + worker)


torch.manual_seed(0)
noisy = DataLoader(Noisy(), 8, shuffle=True, num_workers=2, worker_init_fn=seeded)
stream = DataLoader(Stream(), 8, num_workers=2)
model = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
optimizer = torch.optim.Adam(model.parameters())
for _ in range(2):
    for loader in (noisy, stream):
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()
