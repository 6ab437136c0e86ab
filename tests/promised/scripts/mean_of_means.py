"""Micro-batches of a masked language model; each loss is a mean over its own tokens."""

# promised: loss/weights
import torch
from torch import nn
from torch.utils.data import DataLoader

torch.manual_seed(0)
ACCUMULATE = 4
lengths = torch.randint(4, 13, (128,))
tokens = torch.randint(1, 40, (128, 13))
labels = tokens.masked_fill(torch.arange(13) > lengths[:, None], -100)
model = nn.Sequential(nn.Embedding(40, 24), nn.Linear(24, 48), nn.GELU(), nn.Linear(48, 40))
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
loader = DataLoader(list(zip(tokens, labels, strict=False)), 4, shuffle=True)
for _ in range(2):
    for i, (x, y) in enumerate(loader):
        loss = nn.functional.cross_entropy(model(x[:, :-1]).flatten(0, 1), y[:, 1:].flatten())
        (loss / ACCUMULATE).backward()
        if (i + 1) % ACCUMULATE == 0:
            optimizer.step()
            optimizer.zero_grad()
