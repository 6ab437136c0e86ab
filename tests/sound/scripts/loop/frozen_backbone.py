"""A frozen backbone stays in evaluation mode, while the head is trained."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Probe(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.1)
        )
        self.head = nn.Linear(16, 3)
        self.backbone.requires_grad_(False)
        self.backbone.requires_grad = False  # nearly loop/attributes

    def train(self, mode=True):
        super().train(mode)
        self.backbone.eval()  # nearly loop/modes
        return self

    def forward(self, x):
        return self.head(self.backbone(x))


torch.manual_seed(0)
train = DataLoader(TensorDataset(torch.randn(64, 8), torch.randint(3, (64,))), 16, shuffle=True)
valid = DataLoader(TensorDataset(torch.randn(32, 8), torch.randint(3, (32,))), 16)
model = Probe()
optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)
for epoch in range(3):
    model.train()
    for x, y in train:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        print(epoch, [nn.functional.cross_entropy(model(x), y).item() for x, y in valid])
