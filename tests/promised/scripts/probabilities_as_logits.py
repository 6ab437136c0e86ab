"""A policy returns probabilities, and the distribution takes them as logits."""

# promised: loss/inputs
import torch
from torch import nn
from torch.distributions import Categorical

torch.manual_seed(0)
policy = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 3), nn.Softmax(-1))
optimizer = torch.optim.Adam(policy.parameters(), 3e-3)
for _update in range(12):
    states = torch.randn(32, 4)
    choice = Categorical(logits=policy(states))
    actions = choice.sample()
    rewards = (actions == (states[:, 0] > 0).long()).float()
    loss = -(choice.log_prob(actions) * (rewards - rewards.mean())).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
