"""A classifier of shuffled slices; a view where axes should be exchanged mixes their rows."""

import torch
from torch import nn
from torch.nn import functional as F


class Heads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.values, self.out = nn.Linear(8, 12), nn.Linear(12, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        heads = torch.tanh(self.values(x)).view(-1, 3, 4).transpose(0, 1)  # (head, sample, value)
        return self.out(heads.reshape(len(x), 12))  # should exchange the axes again


torch.manual_seed(0)
model = Heads()
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
inputs, labels = torch.randn(160, 8), torch.randint(3, (160,))
for _ in range(10):
    index = torch.randint(len(inputs), (10,))
    loss = F.cross_entropy(model(inputs[index]), labels[index])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
