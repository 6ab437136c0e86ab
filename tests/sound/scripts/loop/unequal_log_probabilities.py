"""Log-probabilities of the same actions that differ on purpose."""

import torch
from torch import nn

torch.manual_seed(0)

policy = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Dropout(0.2), nn.Linear(16, 4))
normal = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Linear(16, 4))
plain = nn.Linear(8, 4)
optimizer = torch.optim.Adam(
    [*policy.parameters(), *normal.parameters(), *plain.parameters()], lr=1e-3
)


def chosen(logits, actions):
    return logits.log_softmax(-1).gather(1, actions)


def centred(states):
    return plain(states) - plain(torch.full_like(states, 100.0))


def clipped(log_ratio):
    return torch.min(log_ratio.exp(), log_ratio.exp().clamp(0.8, 1.2)).mean()


labels = torch.randint(4, (16, 1))
data = torch.randn(16, 8)
for _ in range(4):
    states = torch.randn(16, 8)
    with torch.no_grad():
        behaviour = (3 * plain(states)).log_softmax(-1)
        actions = torch.multinomial(behaviour.exp(), 1)
        policy.eval(), normal.eval()
        dry, running = chosen(policy(states), actions), chosen(normal(states), actions)
        policy.train(), normal.train()
        flipped = chosen(plain(states.flip(1)), actions)
        rounded = chosen(centred((states + 100).bfloat16().float()), actions)
    loss = -clipped(chosen(policy(states), actions) - dry)  # nearly loss/same-policy
    loss = loss - clipped(chosen(normal(states), actions) - running)
    loss = loss - clipped(chosen(plain(states), actions) - flipped)
    loss = loss - clipped(chosen(centred(states + 100), actions) - rounded)
    loss = loss - (chosen(plain(states), actions) - behaviour.gather(1, actions)).exp().mean()
    kept = chosen(plain(data), labels)
    loss = loss - (kept - kept.detach()).exp().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
