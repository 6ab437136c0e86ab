"""Distils a teacher, which computes without gradients and in float32 before the student."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

torch.manual_seed(0)
images = torch.randn(320, 20, generator=torch.Generator().manual_seed(5))
loader = DataLoader(images, batch_size=32, shuffle=True)


def network(width):
    return nn.Sequential(nn.Linear(20, width), nn.ReLU(), nn.Linear(width, 7))


teacher, student = network(32).eval(), network(12)
optimizer = torch.optim.SGD(student.parameters(), 0.02)
for x in loader:
    optimizer.zero_grad()
    for piece in x.split(4):
        with torch.no_grad():
            wanted = F.log_softmax(teacher(piece) / 2, -1)
        given = F.log_softmax(student(piece) / 2, -1)
        loss = F.kl_div(given, wanted, log_target=True, reduction="batchmean")
        (loss * len(piece) / len(x)).backward()
    optimizer.step()
