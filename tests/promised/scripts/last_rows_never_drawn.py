"""A sampler draws the same rows in each epoch, and the last ones never."""

# promised: loop/observing or loop/turns or loop/schedule as a note
import torch
from torch import nn
from torch.utils.data import DataLoader, Sampler, TensorDataset


class Rows(Sampler):
    def __init__(self, data):
        self.data = data

    def __iter__(self):
        return iter(torch.randperm(len(self.data) - 32).tolist())

    def __len__(self):
        return len(self.data) - 32


torch.manual_seed(0)
model = nn.Sequential(nn.Linear(10, 24), nn.ReLU(), nn.Linear(24, 3))
optimizer = torch.optim.SGD(model.parameters(), 0.1)
data = TensorDataset(torch.randn(160, 10), torch.randint(3, (160,)))
loader = DataLoader(data, 16, sampler=Rows(data))
for _ in range(3):
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
