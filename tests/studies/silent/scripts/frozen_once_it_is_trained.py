"""A network freezes its first stage in train(), which is not called before the first epoch."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.head = nn.Linear(8, 16), nn.Linear(16, 16), nn.Linear(16, 3)

    def forward(self, x):
        return self.head(torch.relu(self.second(torch.relu(self.first(x)))))

    def train(self, mode=True):
        self.first.requires_grad_(False)
        return super().train(mode)


data = TensorDataset(torch.randn(96, 8), torch.randint(3, (96,)))
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(2):
    for x, y in DataLoader(data, 16, shuffle=True):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        print((model(data.tensors[0]).argmax(1) == data.tensors[1]).sum())
    model.train()
