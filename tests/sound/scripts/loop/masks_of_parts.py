"""Masks that are not what they are divided by: parts, chance, hard examples, rewards, labels."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)

model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 5))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
x, y = torch.randn(64, 6), torch.randn(64, 5)
seen = (torch.arange(5) < torch.randint(2, 6, (64, 1))).float()
steps = (torch.arange(5) < torch.randint(2, 6, (64, 1))).float()
returns = steps * (torch.rand(64) < 0.5).float()[:, None]  # of episodes that succeed or fail
data = TensorDataset(x, y, seen, steps, returns)
for a, b, valid, step, reward in DataLoader(data, batch_size=16, shuffle=True):
    error = (model(a) - b).pow(2)
    front, number = (b > 0).float() * valid, valid.sum()
    back = (1 - (b > 0).float()) * valid
    loss = 3 * (error * front).sum() / number  # nearly loss/masks
    loss = loss + (error * back).sum() / number
    some = valid * (torch.arange(5) < 4)
    loss = loss + (error * some * (torch.rand(16, 5) < 0.5)).sum() / some.sum()
    thinned = some * (torch.rand(16, 5) < 0.5)
    loss = loss + (error * thinned).sum() / some.sum()
    loss = loss - (model(a).log_softmax(1) * reward).sum() / step.sum()
    hard = (error.detach() > error.detach().median()).float()
    loss = loss + (error * hard).mean()
    labels = (b > 1).float()
    above, below = nn.functional.logsigmoid(model(a)), nn.functional.logsigmoid(-model(a))
    loss = loss - (labels * above).mean() - ((1 - labels) * below).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
