"""A slice of the gradients leaves the last row as it is."""

# promised: symmetry/permutation or symmetry/clones
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(10, 16), nn.GELU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), 0.1)
x, y = torch.randn(160, 10), torch.randint(3, (160,))
for _ in range(2):
    for a, b in zip(x.split(16), y.split(16), strict=False):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(a), b).backward()
        model[0].weight.grad[:15] *= 0.1
        optimizer.step()
