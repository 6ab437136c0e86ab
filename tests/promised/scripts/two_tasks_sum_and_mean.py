"""The boxes are a sum over the batch, the classes a mean."""

# promised: loss/scaling as a note
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.kind, self.box = nn.Linear(16, 32), nn.Linear(32, 3), nn.Linear(32, 4)

    def forward(self, x):
        h = torch.relu(self.body(x))
        return self.kind(h), self.box(h)


torch.manual_seed(0)
net = Net()
optimizer = torch.optim.AdamW(net.parameters(), 1e-3)
boxes = nn.SmoothL1Loss(reduction="sum")
data = TensorDataset(torch.randn(160, 16), torch.randint(3, (160,)), torch.rand(160, 4))
for _ in range(2):
    for x, kind, box in DataLoader(data, 16, shuffle=True):
        scores, places = net(x)
        loss = nn.functional.cross_entropy(scores, kind) + boxes(places, box)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
