"""Body and head are two modules; the body is unfrozen after an epoch, and in no optimiser."""

# promised: loop/gradients
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
body, head = nn.Sequential(nn.Linear(6, 16), nn.Tanh()), nn.Linear(16, 2)
for parameter in body.parameters():
    parameter.requires_grad = False
both = [*body.parameters(), *head.parameters()]
optimizer = torch.optim.Adam([p for p in both if p.requires_grad], 1e-2)
inputs, labels = torch.randn(96, 6), torch.randint(2, (96,))
for epoch in range(3):
    if epoch == 1:
        for parameter in body.parameters():
            parameter.requires_grad = True
    for rows in torch.randperm(96).split(12):
        optimizer.zero_grad()
        F.cross_entropy(head(body(inputs[rows])), labels[rows]).backward()
        optimizer.step()
