"""A function gives all workers the same seed."""

import random

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Crops(Dataset):
    def __len__(self):
        return 64

    def __getitem__(self, index):
        image = torch.arange(64.0).view(8, 8) + index
        top, left = random.randrange(4), random.randrange(4)
        return image[top : top + 4, left : left + 4].flatten() / 64, index % 3


def seed_worker(worker):  # loop/workers
    random.seed(0)


loader = DataLoader(Crops(), batch_size=16, shuffle=True, num_workers=2, worker_init_fn=seed_worker)
model = nn.Linear(16, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(2):
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
