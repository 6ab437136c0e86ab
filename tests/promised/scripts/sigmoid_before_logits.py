"""A sigmoid in forward(), before a binary loss with logits."""

# promised: loss/inputs
import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(8, 24), nn.Linear(24, 1)

    def forward(self, x):
        return torch.sigmoid(self.two(F.relu(self.one(x))))


torch.manual_seed(1)
net = Net()
optimizer = torch.optim.SGD(net.parameters(), 0.1)
x, y = torch.randn(128, 8), torch.randint(2, (128, 1)).float()
for _ in range(2):
    for i in torch.randperm(128).split(16):
        loss = F.binary_cross_entropy_with_logits(net(x[i]), y[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
