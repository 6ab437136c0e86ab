"""F.dropout drops in evaluation mode, too: training is True by default."""

# promised: model/evaluation
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(10, 32), nn.Linear(32, 4)

    def forward(self, x):
        return self.two(F.dropout(F.relu(self.one(x)), 0.5))


torch.manual_seed(0)
model = Net()
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
train = DataLoader(TensorDataset(torch.randn(160, 10), torch.randint(4, (160,))), 16, shuffle=True)
valid = DataLoader(TensorDataset(torch.randn(64, 10), torch.randint(4, (64,))), 32)
for epoch in range(3):
    model.train()
    for x, y in train:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        print(epoch, sum((model(x).argmax(1) == y).sum().item() for x, y in valid))
