"""Rates that differ on purpose: by group, from 0, and for another loss."""

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

torch.manual_seed(0)

actor, critic = nn.Linear(8, 3), nn.Linear(8, 3)
log_alpha = nn.Parameter(torch.zeros(()))
both = torch.optim.SGD(
    [{"params": actor.parameters(), "lr": 0.1}, {"params": critic.parameters(), "lr": 0.01}]
)
thawed = torch.optim.SGD(
    [{"params": [actor.weight], "lr": 0.0}, {"params": [critic.weight], "lr": 0.01}]
)
alpha = torch.optim.SGD([log_alpha], lr=0.01)
scheduler = LambdaLR(both, [lambda step: 0.9**step, lambda step: 1.0])
for step in range(5):
    for group in thawed.param_groups if step else ():
        group["lr"] = 0.01 * 0.9**step
    states = torch.randn(16, 8)
    loss = actor(states).pow(2).mean() + critic(states).pow(2).mean() * log_alpha.detach().exp()
    both.zero_grad()
    loss.backward()
    both.step()
    thawed.step()  # nearly loop/schedule
    alpha.zero_grad()
    (log_alpha * (loss.detach() - 0.5)).backward()
    alpha.step()
    scheduler.step()
