"""Learning to rank: the weight of a row is that of its place in the slice, as it is meant."""

import torch
from torch import nn

torch.manual_seed(0)
inputs = torch.randn(200, 5)
gains = inputs.sum(1)
model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), 0.05)
discount = 1 / torch.log2(torch.arange(20) + 2.0)
for _ in range(12):
    index = torch.randperm(len(inputs))[:20]
    scores = model(inputs[index])[:, 0]
    loss = (discount * (scores - gains[index]).square()).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
