"""A layer is added after an epoch, and given to the optimiser; a copy is not trained."""

import copy

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 3))
optimizer = torch.optim.SGD(model.parameters(), 0.05)
x, y = torch.randn(128, 6), torch.randint(3, (128,))
for epoch in range(3):
    if epoch == 1:
        model.append(nn.ReLU())
        model.append(nn.Linear(3, 3))
        optimizer.add_param_group({"params": model[-1].parameters()})
    probe = copy.deepcopy(model)  # how flat the loss is here
    loss = nn.functional.cross_entropy(probe(x[:16]), y[:16])
    loss.backward()
    flat = max(p.grad.abs().max() for p in probe.parameters())
    for i in torch.randperm(128).split(16):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[i]), y[i]).backward()
        optimizer.step()
    print(epoch, flat.item())
