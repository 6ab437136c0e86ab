"""The body is frozen by gradients of zero, and weight decay moves it."""

# promised: training/frozen or training/checkpoint or training/lost
import torch
from torch import nn

torch.manual_seed(0)
body, head = nn.Linear(10, 24), nn.Linear(24, 3)
body.requires_grad_(False)
optimizer = torch.optim.SGD([*body.parameters(), *head.parameters()], 0.1, weight_decay=0.01)
for parameter in body.parameters():
    parameter.grad = torch.zeros_like(parameter)
x, y = torch.randn(160, 10), torch.randint(3, (160,))
for _ in range(2):
    for i in torch.randperm(160).split(16):
        optimizer.zero_grad(set_to_none=False)
        nn.functional.cross_entropy(head(torch.relu(body(x[i]))), y[i]).backward()
        optimizer.step()
