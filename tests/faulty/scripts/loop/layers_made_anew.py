"""After the first epoch both layers are made anew, wider; the optimiser holds the old ones."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(10, 8), nn.Linear(8, 3)])

    def forward(self, x):
        return self.layers[1](torch.relu(self.layers[0](x)))

    def grow(self, more):
        old, top = self.layers
        self.layers[0] = nn.Linear(10, old.out_features + more)
        self.layers[1] = nn.Linear(old.out_features + more, 3)
        with torch.no_grad():
            self.layers[0].weight[: old.out_features] = old.weight
            self.layers[1].weight[:, : old.out_features] = top.weight


torch.manual_seed(0)
model = Net()
optimizer = torch.optim.SGD(model.parameters(), 0.05)
data = TensorDataset(torch.randn(160, 10), torch.randint(3, (160,)))
for epoch in range(4):
    if epoch == 1:
        model.grow(4)
    for x, y in DataLoader(data, batch_size=16, shuffle=True):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()  # loop/gradients
    print(epoch, loss.item())
