"""A frozen body that is unfrozen to read its gradients, and a critic that is trained at last."""

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
body, head, critic = nn.Linear(6, 16), nn.Linear(16, 2), nn.Linear(2, 1)
body.requires_grad_(False)
critic.requires_grad_(False)
optimizer = torch.optim.SGD(head.parameters(), 0.1)
inputs, labels = torch.randn(96, 6), torch.randint(2, (96,))
fisher = torch.zeros(16, 6)
for epoch in range(3):
    if epoch == 1:
        body.requires_grad_(True)
        critic.requires_grad_(True)
    if epoch == 2:
        second = torch.optim.SGD(critic.parameters(), 0.1)
    for rows in torch.randperm(96).split(12):
        for module in (body, head, critic):
            module.zero_grad()
        scores = head(body(inputs[rows]).tanh())
        loss = F.cross_entropy(scores, labels[rows])
        (loss - 0.1 * critic(scores).mean()).backward()
        optimizer.step()
        if epoch:
            fisher += body.weight.grad**2
        if epoch == 2:
            second.zero_grad()
            F.softplus(critic(scores.detach())).mean().backward()
            second.step()
print(fisher.mean())
