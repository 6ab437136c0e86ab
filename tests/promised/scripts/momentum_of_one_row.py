"""An optimiser by hand updates its momentum by index, and forgets the first row."""

# promised: symmetry/permutation or symmetry/clones
import torch
from torch import nn

torch.manual_seed(0)
one, two = nn.Linear(10, 16), nn.Linear(16, 1)
parameters = [*one.parameters(), *two.parameters()]
momenta = [torch.zeros_like(p) for p in parameters]
x, y = torch.randn(160, 10), torch.randn(160, 1)
for _ in range(2):
    for a, b in zip(x.split(16), y.split(16), strict=False):
        loss = nn.functional.mse_loss(two(torch.tanh(one(a))), b)
        loss.backward()
        gradients = [p.grad for p in parameters]
        with torch.no_grad():
            for p, g, m in zip(parameters, gradients, momenta, strict=False):
                m[1:] = 0.9 * m[1:] + g[1:]
                m[:1] = g[:1]
                p -= 0.05 * m
                p.grad = None
