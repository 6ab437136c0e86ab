"""The penalty of a mixture of experts is scaled by a function whose result is dropped."""

import torch
from torch import nn

torch.manual_seed(0)


class Scaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, weights, penalty):
        ctx.save_for_backward(penalty)
        return weights

    @staticmethod
    def backward(ctx, gradient):
        (penalty,) = ctx.saved_tensors
        return gradient, torch.ones_like(penalty)


gate = nn.Linear(8, 4)
experts = nn.ModuleList(nn.Linear(8, 3) for _ in range(4))
optimizer = torch.optim.SGD([*gate.parameters(), *experts.parameters()], 0.1)
x, y = torch.randn(64, 8), torch.randint(3, (64,))
for a, b in [*zip(x.split(16), y.split(16), strict=True)] * 2:
    weights = gate(a).softmax(-1)
    penalty = 0.01 * weights.mean(0).square().sum()
    Scaled.apply(weights, penalty)  # loss/unused
    output = sum(w[:, None] * expert(a) for w, expert in zip(weights.T, experts, strict=True))
    optimizer.zero_grad()
    nn.functional.cross_entropy(output, b).backward()
    optimizer.step()
