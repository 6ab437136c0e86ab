"""One loaded batch is split into micro-batches; each is a mean over its own answers."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

WORDS, MICRO_BATCH = 30, 4


def masked_mean(values, mask):
    return (values * mask).sum() / mask.sum()


torch.manual_seed(0)
model = nn.Sequential(nn.Embedding(WORDS, 12), nn.Linear(12, 16), nn.GELU(), nn.Linear(16, WORDS))
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
begins = torch.randint(1, 9, (96, 1))
data = TensorDataset(torch.randint(WORDS, (96, 10)), (torch.arange(10) >= begins).float())
for ids, answers in DataLoader(data, batch_size=16, shuffle=True):
    optimizer.zero_grad()
    pieces = ids.split(MICRO_BATCH)
    for piece, mask in zip(pieces, answers.split(MICRO_BATCH), strict=True):
        scores = model(piece[:, :-1])
        losses = nn.functional.cross_entropy(scores.mT, piece[:, 1:], reduction="none")
        (masked_mean(losses, mask[:, 1:]) / len(pieces)).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
