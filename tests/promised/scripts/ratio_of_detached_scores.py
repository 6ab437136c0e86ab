"""Both log-probabilities of the ratio are detached, and the policy's loss has no gradient of it."""

# promised: loss/influence or loss/same-policy or loss/groups or loss/masks
import torch
from torch import nn
from torch.distributions import Categorical

torch.manual_seed(0)
policy, value = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 3)), nn.Linear(4, 1)
optimizer = torch.optim.Adam([*policy.parameters(), *value.parameters()], 1e-3)
for _iteration in range(12):
    states = torch.randn(64, 4)
    choice = Categorical(logits=policy(states))
    actions = choice.sample()
    new = choice.log_prob(actions).detach()
    ratio = (new - new.detach()).exp()
    returns = (actions == (states[:, 0] > 0).long()).float()
    values = value(states).squeeze(1)
    loss = -(ratio * (returns - values.detach())).mean() + 0.5 * (values - returns).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
