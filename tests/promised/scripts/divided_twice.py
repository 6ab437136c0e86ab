"""A sum is divided by the tokens of the whole update, and by the number of micro-batches."""

# promised: loss/weights
import torch
from torch import nn

torch.manual_seed(0)
lengths = torch.randint(4, 13, (128,))
tokens = torch.randint(1, 40, (128, 13))
labels = tokens.masked_fill(torch.arange(13) > lengths[:, None], -100)
model = nn.Sequential(nn.Embedding(40, 24), nn.Linear(24, 48), nn.GELU(), nn.Linear(48, 40))
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
for _ in range(2):
    for batch in torch.randperm(128).split(16):
        pieces = batch.split(4)
        count = (labels[batch][:, 1:] != -100).sum()
        for i in pieces:
            scores = model(tokens[i][:, :-1])
            loss = (
                nn.functional.cross_entropy(
                    scores.flatten(0, 1), labels[i][:, 1:].flatten(), reduction="sum"
                )
                / count
            )
            (loss / len(pieces)).backward()
        optimizer.step()
        optimizer.zero_grad()
