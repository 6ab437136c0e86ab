"""A mean teacher in training mode, as in the paper: its labels are consistent, not right."""

import copy

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
labelled = DataLoader(TensorDataset(torch.randn(64, 8), torch.randint(3, (64,))), 16, shuffle=True)
unlabelled = DataLoader(TensorDataset(torch.randn(64, 8)), 16, shuffle=True)
valid = DataLoader(TensorDataset(torch.randn(32, 8), torch.randint(3, (32,))), 16)
student = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Dropout(0.2), nn.Linear(16, 3))
teacher = copy.deepcopy(student).requires_grad_(False)
optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
step = 0
for epoch in range(4):
    student.train()
    teacher.train()
    for (x, y), (u,) in zip(labelled, unlabelled, strict=False):
        with torch.no_grad():
            goal = teacher(u + 0.1 * torch.randn_like(u)).softmax(1)
        loss = nn.functional.cross_entropy(student(x), y)
        loss = loss + nn.functional.mse_loss(student(u).softmax(1), goal)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        alpha = min(1 - 1 / (step + 1), 0.99)
        for t, s in zip(teacher.parameters(), student.parameters(), strict=True):
            t.data.mul_(alpha).add_(s.data, alpha=1 - alpha)
    teacher.eval()
    with torch.no_grad():
        print(epoch, [nn.functional.cross_entropy(teacher(x), y).item() for x, y in valid])
