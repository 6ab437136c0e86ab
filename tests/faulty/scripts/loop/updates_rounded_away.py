"""Weights in bfloat16 are trained at a rate that is too small for them."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(12, 32), nn.GELU(), nn.Linear(32, 5)).to(torch.bfloat16)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
x, y = torch.randn(64, 12, dtype=torch.bfloat16), torch.randint(5, (64,))
for _ in range(2):
    for a, b in zip(x.split(16), y.split(16), strict=True):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(a).float(), b).backward()
        optimizer.step()  # training/lost
