"""Weights in bfloat16 move little by little: the optimiser keeps what is rounded away (Kahan)."""

import torch
from torch import nn

torch.manual_seed(0)


class Compensated(torch.optim.Optimizer):
    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                rest = self.state[p].setdefault("rest", torch.zeros_like(p))
                rest.add_(p.grad.sign(), alpha=-group["lr"])
                before = p.clone()
                p.add_(rest)
                rest.add_(before - p)


model = nn.Sequential(nn.Linear(12, 32), nn.GELU(), nn.Linear(32, 5)).to(torch.bfloat16)
optimizer = Compensated(model.parameters(), lr=1e-5)
x, y = torch.randn(64, 12, dtype=torch.bfloat16), torch.randint(5, (64,))
for _ in range(2):
    for a, b in zip(x.split(16), y.split(16), strict=True):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(a).float(), b).backward()
        optimizer.step()  # nearly training/lost
