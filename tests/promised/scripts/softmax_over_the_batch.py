"""The gates of a mixture are a softmax over the batch."""

# promised: model/samples
import torch
from torch import nn


class Mixture(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(10, 4)
        self.experts = nn.ModuleList(
            [nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 3)) for _ in range(4)]
        )

    def forward(self, x):
        weights = torch.softmax(self.gate(x), dim=0)
        return sum(weights[:, i : i + 1] * expert(x) for i, expert in enumerate(self.experts))


torch.manual_seed(0)
model = Mixture()
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
x, y = torch.randn(160, 10), torch.randint(3, (160,))
for _ in range(2):
    for i in torch.randperm(160).split(16):
        loss = nn.functional.cross_entropy(model(x[i]), y[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
