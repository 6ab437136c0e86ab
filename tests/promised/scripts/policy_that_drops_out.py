"""The old log-probabilities are computed in evaluation mode, the new ones with dropout."""

# promised: loop/modes as a note
import torch
from torch import nn
from torch.distributions import Categorical

torch.manual_seed(0)
policy = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Dropout(0.2), nn.Linear(32, 3))
optimizer = torch.optim.Adam(policy.parameters(), 1e-3)
for _iteration in range(6):
    states = torch.randn(64, 4)
    policy.eval()
    with torch.no_grad():
        choice = Categorical(logits=policy(states))
        actions = choice.sample()
        old = choice.log_prob(actions)
    policy.train()
    advantages = torch.randn(64)
    for _ in range(2):
        ratio = (Categorical(logits=policy(states)).log_prob(actions) - old).exp()
        loss = -torch.min(ratio * advantages, ratio.clamp(0.8, 1.2) * advantages).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
