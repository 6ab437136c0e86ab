"""README's script, without its bug: a classifier of two layers."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(64, 8), nn.GELU(), nn.Linear(8, 10))
optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
images, labels = torch.randn(320, 64), torch.randint(10, (320,))

for x, y in zip(images.split(16), labels.split(16), strict=True):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
print(f"loss {loss.item():.3f}")
