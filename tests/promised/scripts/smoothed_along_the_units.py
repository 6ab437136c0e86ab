"""The gradients are smoothed along the axis of the units, not along the updates."""

# promised: symmetry/permutation or symmetry/clones
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(10, 16), nn.Tanh(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), 0.1)
x, y = torch.randn(160, 10), torch.randint(3, (160,))
for _ in range(2):
    for i in torch.randperm(160).split(16):
        loss = nn.functional.cross_entropy(model(x[i]), y[i])
        optimizer.zero_grad()
        loss.backward()
        gradient = model[0].weight.grad
        gradient[1:] = 0.9 * gradient[:-1] + 0.1 * gradient[1:]
        optimizer.step()
