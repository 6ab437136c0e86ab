"""A mask of the gradients lets all rows but the last ones be updated."""

# promised: symmetry/permutation or symmetry/clones
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(10, 16), nn.Tanh(), nn.Linear(16, 3))
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
x, y = torch.randn(160, 10), torch.randint(3, (160,))
mask = (torch.arange(16) < 12).float()[:, None]
for _ in range(2):
    for i in torch.randperm(160).split(16):
        loss = nn.functional.cross_entropy(model(x[i]), y[i])
        optimizer.zero_grad()
        loss.backward()
        model[0].weight.grad *= mask
        optimizer.step()
