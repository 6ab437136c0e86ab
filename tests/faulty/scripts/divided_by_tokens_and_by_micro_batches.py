"""Sums of losses are divided by all tokens of an update, and by its micro-batches once more."""

import torch
from torch import nn

WORDS, MICRO_BATCHES = 30, 4
torch.manual_seed(0)
model = nn.Sequential(nn.Embedding(WORDS, 12), nn.Linear(12, 16), nn.GELU(), nn.Linear(16, WORDS))
optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
for _ in range(8):
    batches = [torch.randint(WORDS, (6, 9)) for _ in range(MICRO_BATCHES)]
    answers = [torch.rand(6, 8) < 0.6 for _ in batches]
    tokens = sum(shown.sum() for shown in answers)
    optimizer.zero_grad()
    for ids, shown in zip(batches, answers, strict=True):
        likelihoods = model(ids[:, :-1]).log_softmax(-1).gather(-1, ids[:, 1:, None])[..., 0]
        loss = -(likelihoods * shown).sum() / tokens
        loss = loss / MICRO_BATCHES
        loss.backward()
    optimizer.step()
