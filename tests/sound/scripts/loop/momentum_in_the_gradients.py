"""An update by hand whose momentum is kept in the gradients themselves."""

import torch
from torch.nn.functional import mse_loss

torch.manual_seed(0)
x, y = torch.randn(320, 8), torch.randn(320)
weight = torch.zeros(8, requires_grad=True)
for a, b in zip(x.split(16), y.split(16), strict=True):
    mse_loss(a @ weight, b).backward()
    weight.data -= 0.01 * weight.grad
    weight.grad *= 0.9
