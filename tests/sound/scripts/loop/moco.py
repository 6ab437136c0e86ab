"""MoCo: the key encoder is in training mode, follows slowly, and gets no gradients."""

import copy

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
loader = DataLoader(TensorDataset(torch.randn(96, 8)), 16, shuffle=True, drop_last=True)
query = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 4))
key = copy.deepcopy(query)
for p in key.parameters():
    p.requires_grad = False
queue = nn.functional.normalize(torch.randn(4, 64), dim=0)
optimizer = torch.optim.SGD(query.parameters(), lr=0.03, momentum=0.9)
pointer = 0
for epoch in range(3):
    for (x,) in loader:
        q = nn.functional.normalize(query(x + 0.1 * torch.randn_like(x)), dim=1)
        with torch.no_grad():
            for k, p in zip(key.parameters(), query.parameters(), strict=True):
                k.data = k.data * 0.99 + p.data * 0.01
            order = torch.randperm(len(x))
            k = nn.functional.normalize(key((x + 0.1 * torch.randn_like(x))[order]), dim=1)
            k = k[order.argsort()]
        logits = torch.cat([(q * k).sum(1, keepdim=True), q @ queue.clone()], 1) / 0.07
        loss = nn.functional.cross_entropy(logits, torch.zeros(len(x), dtype=torch.long))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        queue[:, pointer : pointer + len(x)] = k.T
        pointer = (pointer + len(x)) % 64
    print(epoch, loss.item())
