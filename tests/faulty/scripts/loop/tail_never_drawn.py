"""A sampler permutes a prefix of the data: the tail is drawn in no epoch."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Sampler, TensorDataset

torch.manual_seed(0)


class Whole(Sampler):
    def __init__(self, number, size):
        self.number, self.size = number, size

    def __len__(self):
        return self.number // self.size

    def __iter__(self):
        order = torch.randperm(len(self) * self.size)
        yield from (part.tolist() for part in order.split(self.size))


data = TensorDataset(torch.randn(60, 8), torch.randint(3, (60,)))
loader = DataLoader(data, batch_sampler=Whole(60, 16))  # loop/turns
model = nn.Linear(8, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(3):
    for a, b in loader:
        optimizer.zero_grad()
        F.cross_entropy(model(a), b).backward()
        optimizer.step()
