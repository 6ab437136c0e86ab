"""The result of a gradient-reversal Function is dropped: the features go on as they are."""

# promised: model/functions or loss/unused
import torch
from torch import nn


class Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.view_as(x)

    @staticmethod
    def backward(ctx, g):
        return -g


torch.manual_seed(0)
body, kind, domain = nn.Sequential(nn.Linear(10, 24), nn.ReLU()), nn.Linear(24, 3), nn.Linear(24, 2)
optimizer = torch.optim.AdamW([*body.parameters(), *kind.parameters(), *domain.parameters()], 1e-3)
x, y, d = torch.randn(160, 10), torch.randint(3, (160,)), torch.randint(2, (160,))
for _ in range(2):
    for i in torch.randperm(160).split(16):
        h = body(x[i])
        Reverse.apply(h)
        loss = nn.functional.cross_entropy(kind(h), y[i]) + nn.functional.cross_entropy(
            domain(h), d[i]
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
