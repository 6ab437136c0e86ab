"""Q-learning with a replay buffer: one network acts and learns, another one is copied from it."""

import random
from collections import deque

import torch
from torch import nn

torch.manual_seed(0)
random.seed(0)


def network():
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))


online, target = network(), network()
target.load_state_dict(online.state_dict())
target.eval()
optimizer = torch.optim.Adam(online.parameters(), lr=1e-3)
buffer = deque(maxlen=200)
state = torch.randn(4)
for step in range(120):
    with torch.no_grad():
        greedy = online(state[None]).argmax().item()
    action = random.randrange(2) if random.random() < 0.3 else greedy
    following, reward = 0.9 * state + 0.1 * torch.randn(4) + 0.1 * action, float(state[0])
    buffer.append((state, action, reward, following))
    state = following
    if len(buffer) < 16:
        continue
    s, a, r, n = zip(*random.sample(buffer, 16), strict=True)
    with torch.no_grad():
        goal = torch.tensor(r) + 0.9 * target(torch.stack(n)).max(1).values
    value = online(torch.stack(s)).gather(1, torch.tensor(a)[:, None]).squeeze(1)
    loss = nn.functional.smooth_l1_loss(value, goal)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_value_(online.parameters(), 100)
    optimizer.step()
    if step % 10 == 0:
        target.load_state_dict(online.state_dict())
