"""A module has no requires_grad: the attribute freezes nothing."""

# promised: loop/attributes
import torch
from torch import nn

torch.manual_seed(0)
body, head = nn.Sequential(nn.Conv1d(2, 8, 3), nn.ReLU(), nn.Flatten()), nn.Linear(64, 2)
body.requires_grad = False
optimizer = torch.optim.SGD([*body.parameters(), *head.parameters()], 0.05)
x, y = torch.randn(128, 2, 10), torch.randint(2, (128,))
for _ in range(2):
    for a, b in zip(x.split(16), y.split(16), strict=False):
        optimizer.zero_grad()
        nn.functional.cross_entropy(head(body(a)), b).backward()
        optimizer.step()
