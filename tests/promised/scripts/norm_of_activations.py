"""A penalty of the features is the norm of the whole batch."""

# promised: loss/scaling as a note
import torch
from torch import nn

torch.manual_seed(0)
body, head = nn.Sequential(nn.Linear(10, 32), nn.Tanh()), nn.Linear(32, 4)
optimizer = torch.optim.SGD([*body.parameters(), *head.parameters()], 0.05)
x, y = torch.randn(160, 10), torch.randint(4, (160,))
for _ in range(2):
    for a, b in zip(x.split(16), y.split(16), strict=False):
        features = body(a)
        loss = nn.functional.cross_entropy(head(features), b) + 0.01 * features.norm()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
