"""Three backwards in each update, which move a perturbation of the inputs: its sum is older."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 4))
optimizer = torch.optim.SGD(model.parameters(), 1e-2)
inputs, labels = torch.randn(96, 8), torch.randint(4, (96,))
for x, y in zip(inputs.split(16), labels.split(16), strict=True):
    change = torch.zeros_like(x, requires_grad=True)
    optimizer.zero_grad()
    for _ in range(3):
        (nn.functional.cross_entropy(model(x + change), y) / 3).backward()
        change.data += 0.01 * change.grad.sign()
        change.grad.zero_()
    optimizer.step()
