"""Truncated texts leave the sum, and not the number that divides it."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)

model = nn.Sequential(nn.Embedding(12, 16), nn.Linear(16, 12))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
tokens, lengths = torch.randint(12, (64, 9)), torch.randint(3, 9, (64,))
for ids, length in DataLoader(TensorDataset(tokens, lengths), batch_size=16, shuffle=True):
    mask = (torch.arange(8) < length[:, None]).float()
    keep = mask * (length < 8)[:, None]
    each = F.cross_entropy(model(ids[:, :-1]).transpose(1, 2), ids[:, 1:], reduction="none")
    loss = (each * keep).sum() / mask.sum()  # loss/masks
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
