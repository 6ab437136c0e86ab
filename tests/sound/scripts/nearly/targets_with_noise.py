"""Targets of a twin critic: without gradients, rows of a replay buffer meet noise for each of them.

The noise is drawn before the rows are read, so that other rows get it where they are rearranged.
"""

import copy

import torch
from torch import nn

ROWS, BATCH = 64, 8


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.q = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, state, action):
        return self.q(torch.cat([state, action], 1)).squeeze(1)


torch.manual_seed(0)
actor = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2), nn.Tanh())
critic = Critic()
slow_actor, slow_critic = copy.deepcopy(actor), copy.deepcopy(critic)
optimizers = [torch.optim.Adam(net.parameters(), 1e-3) for net in (critic, actor)]
state, then, reward = torch.randn(ROWS, 3), torch.randn(ROWS, 3), torch.randn(ROWS)
action = torch.tanh(torch.randn(ROWS, 2))
for _ in range(12):
    rows = torch.randint(ROWS, (BATCH,))
    with torch.no_grad():
        noise = (0.2 * torch.randn(BATCH, 2)).clamp(-0.5, 0.5)
        after = (slow_actor(then[rows]) + noise).clamp(-1, 1)
        target = reward[rows] + 0.9 * slow_critic(then[rows], after)
    losses = [
        (critic(state[rows], action[rows]) - target).square().mean(),
        -critic(state[rows], actor(state[rows])).mean(),
    ]
    for loss, optimizer in zip(losses, optimizers, strict=True):
        optimizer.zero_grad()
        loss.backward(inputs=optimizer.param_groups[0]["params"])
    for optimizer in optimizers:
        optimizer.step()
