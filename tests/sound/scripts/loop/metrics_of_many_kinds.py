"""Numbers of evaluations: means over samples, contrasts in a batch, sums, and means of all."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
model, other = nn.Linear(8, 3), nn.Linear(6, 3)
optimizer = torch.optim.SGD([*model.parameters(), *other.parameters()], lr=0.1)
data = TensorDataset(torch.randn(32, 8), torch.randn(32, 6), torch.randint(3, (32,)))
held_out = DataLoader(
    TensorDataset(torch.randn(27, 8), torch.randn(27, 6), torch.randint(3, (27,))), 8
)


def contrast(a, b):
    scores = F.normalize(model(a), dim=1) @ F.normalize(other(b), dim=1).T
    return F.cross_entropy(8 * scores, torch.arange(len(a)))


@torch.no_grad()
def contrasts():
    values = [contrast(a, b).item() for a, b, _ in held_out]
    return sum(values) / len(values)


@torch.no_grad()
def evaluate():
    total = right = lost = 0.0
    for a, _, labels in held_out:  # nearly loop/metrics
        scores = model(a)
        lost += F.cross_entropy(scores, labels).item()
        total += F.cross_entropy(scores, labels, reduction="sum").item()
        right += (scores.argmax(1) == labels).sum().item()
    print(f"all: {lost:.4f}, {right:.1f} are right")
    return {"loss": total / len(held_out.dataset), "right": right / len(held_out.dataset)}


for _ in range(2):
    for a, b, labels in DataLoader(data, 8, shuffle=True):
        optimizer.zero_grad()
        (contrast(a, b) + F.cross_entropy(model(a), labels)).backward()
        optimizer.step()
    print(evaluate(), contrasts())
