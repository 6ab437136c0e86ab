"""Dropout layers in a plain list are no submodules, and eval() does not reach them."""

# promised: model/evaluation
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(10, 24), nn.Linear(24, 24)])
        self.drops = [nn.Dropout(0.3), nn.Dropout(0.3)]
        self.head = nn.Linear(24, 4)

    def forward(self, x):
        for layer, drop in zip(self.layers, self.drops, strict=False):
            x = drop(torch.relu(layer(x)))
        return self.head(x)


torch.manual_seed(0)
model = Net()
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
train = DataLoader(TensorDataset(torch.randn(160, 10), torch.randint(4, (160,))), 16, shuffle=True)
valid = DataLoader(TensorDataset(torch.randn(64, 10), torch.randint(4, (64,))), 32)
for epoch in range(3):
    model.train()
    for x, y in train:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        print(epoch, sum(nn.functional.cross_entropy(model(x), y).item() for x, y in valid))
