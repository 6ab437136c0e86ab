"""An average of the weights is evaluated: its buffers are copied, and it is in evaluation mode."""

import copy

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Average:
    def __init__(self, model, decay):
        self.module, self.decay = copy.deepcopy(model).eval().requires_grad_(False), decay

    @torch.no_grad()
    def update(self, model):
        for mine, theirs in zip(
            self.module.state_dict().values(), model.state_dict().values(), strict=True
        ):
            if mine.is_floating_point():
                mine.copy_(self.decay * mine + (1 - self.decay) * theirs)
            else:
                mine.copy_(theirs)


torch.manual_seed(0)
train = DataLoader(TensorDataset(torch.randn(64, 8), torch.randint(3, (64,))), 16, shuffle=True)
valid = DataLoader(TensorDataset(torch.randn(32, 8), torch.randint(3, (32,))), 16)
model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3))
average = Average(model, 0.9)
optimizer = torch.optim.AdamW(model.parameters())
for epoch in range(6):
    for x, y in train:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        average.update(model)
    with torch.no_grad():
        print(epoch, [nn.functional.cross_entropy(average.module(x), y).item() for x, y in valid])
