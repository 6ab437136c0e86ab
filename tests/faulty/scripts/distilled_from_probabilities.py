"""Distils a small network from a large one; the divergence is given probabilities twice."""

import torch
import torch.nn.functional as F
from torch import nn


def network(width):
    return nn.Sequential(nn.Linear(8, width), nn.ReLU(), nn.Linear(width, 5))


def train(teacher, student, steps=40, temperature=2.0):
    optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
    for step in range(steps):
        x = torch.randn(16, 8)
        with torch.no_grad():
            soft = F.softmax(teacher(x) / temperature, dim=-1)
        loss = F.kl_div(F.softmax(student(x) / temperature, dim=-1), soft, reduction="batchmean")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 10 == 0:
            print(step, loss.item())


if __name__ == "__main__":
    torch.manual_seed(3)
    train(network(32).eval(), network(6))
