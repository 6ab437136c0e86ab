"""An encoder learns from the losses of the actor and of the critic, which have two optimisers."""

import torch
from torch import nn

torch.manual_seed(0)
encoder, actor, critic = nn.Linear(6, 12), nn.Linear(12, 2), nn.Linear(14, 1)
for_actor = torch.optim.Adam([*encoder.parameters(), *actor.parameters()], 1e-3)
for_critic = torch.optim.Adam(critic.parameters(), 1e-3)
states, returns = torch.randn(128, 6), torch.randn(128, 1)
for _ in range(2):
    for i in torch.randperm(128).split(16):
        for_actor.zero_grad()
        for_critic.zero_grad()
        h = torch.relu(encoder(states[i]))
        value = critic(torch.cat([h, actor(h).detach()], 1))
        nn.functional.mse_loss(value, returns[i]).backward()
        for_critic.step()
        h = torch.relu(encoder(states[i]))
        (-critic(torch.cat([h, actor(h)], 1)).mean()).backward()
        for_actor.step()
