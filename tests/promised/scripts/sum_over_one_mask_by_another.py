"""The losses of the answers are summed, and divided by the number of all tokens."""

# promised: loss/influence or loss/same-policy or loss/groups or loss/masks
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Embedding(40, 24), nn.Linear(24, 48), nn.GELU(), nn.Linear(48, 40))
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
lengths = torch.randint(6, 13, (96,))
attention = (torch.arange(12) < lengths[:, None]).float()
answers = attention * (torch.arange(12) >= torch.randint(1, 5, (96, 1))).float()
ids = torch.randint(1, 40, (96, 12)) * attention.long()
for _ in range(2):
    for i in torch.randperm(96).split(8):
        losses = nn.functional.cross_entropy(model(ids[i, :-1]).mT, ids[i, 1:], reduction="none")
        loss = (losses * answers[i, 1:]).sum() / attention[i, 1:].sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
