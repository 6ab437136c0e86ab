"""Learns two tasks; the loss of each is divided by its running mean."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(3, 8), nn.ReLU())
        self.value, self.kind = nn.Linear(8, 1), nn.Linear(8, 3)

    def forward(self, x):
        hidden = self.trunk(x)
        return self.value(hidden)[:, 0], self.kind(hidden)


torch.manual_seed(3)
net, means = Net(), [1.0, 1.0]
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
for _ in range(10):
    x = torch.rand(20, 3)
    value, kind = net(x)
    losses = (value - x.prod(1)).square().mean(), nn.functional.cross_entropy(kind, x.argmax(1))
    means = [0.9 * m + 0.1 * loss.item() for m, loss in zip(means, losses, strict=True)]
    optimizer.zero_grad()
    sum(loss / m for loss, m in zip(losses, means, strict=True)).backward()
    optimizer.step()
torch.save({"net": net.state_dict(), "optimizer": optimizer.state_dict()}, "net.pt")
