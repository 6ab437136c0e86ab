"""Warms a whole network up, and then trains its head alone."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

WARM_UP = 2

torch.manual_seed(0)
x, y = torch.randn(64, 6), torch.randint(3, (64,))
body = nn.Sequential(nn.Linear(6, 12), nn.ReLU())
head = nn.Linear(12, 3)
model = nn.Sequential(body, head)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
step = 0
for epoch in range(2):
    for xb, yb in DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True):
        if step == WARM_UP:
            for parameter in body.parameters():
                parameter.requires_grad = False
        optimizer.zero_grad(set_to_none=False)
        loss = nn.functional.cross_entropy(model(xb), yb)
        loss.backward()
        optimizer.step()
        step += 1
    print(f"epoch {epoch}: {loss.item():.3f}")
