"""The backward of a SiLU by hand leaves out a term."""

# promised: model/functions or loss/unused
import torch
from torch import nn


class SiLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        s = torch.sigmoid(x)
        ctx.save_for_backward(x, s)
        return x * s

    @staticmethod
    def backward(ctx, grad):
        _, s = ctx.saved_tensors
        return grad * s


torch.manual_seed(0)
one, two = nn.Linear(10, 24), nn.Linear(24, 1)
optimizer = torch.optim.Adam([*one.parameters(), *two.parameters()], 1e-3)
x, y = torch.randn(160, 10), torch.randn(160, 1)
for _ in range(2):
    for a, b in zip(x.split(16), y.split(16), strict=False):
        loss = nn.functional.mse_loss(two(SiLU.apply(one(a))), b)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
