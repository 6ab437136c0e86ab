"""The gradients are clipped after the step that used them."""

# promised: loop/gradients
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.head = nn.GRU(6, 24, batch_first=True), nn.Linear(24, 2)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])


torch.manual_seed(0)
net = Net()
optimizer = torch.optim.Adam(net.parameters(), 1e-3)
x, y = torch.randn(128, 7, 6), torch.randint(2, (128,))
for _ in range(2):
    for i in torch.randperm(128).split(16):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x[i]), y[i]).backward()
        optimizer.step()
        nn.utils.clip_grad_norm_(net.parameters(), 0.5)
