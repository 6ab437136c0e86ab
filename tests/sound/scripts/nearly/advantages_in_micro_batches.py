"""Accumulates micro-batches; in each, a text's reward is its length, less the mean of them."""

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader

PAD, WORDS, MICRO_BATCHES = 0, 30, 3


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(WORDS, 12, padding_idx=PAD)
        self.read = nn.GRU(12, 16, batch_first=True)
        self.head = nn.Linear(16, WORDS)

    def forward(self, ids):
        return self.head(self.read(self.embed(ids))[0])


def collate(texts):
    ids = pad_sequence(texts, batch_first=True, padding_value=PAD)
    labels = ids[:, 1:].masked_fill(ids[:, 1:] == PAD, -100)
    rewards = torch.tensor([float(len(text)) for text in texts])
    return {"ids": ids[:, :-1], "labels": labels, "advantages": rewards - rewards.mean()}


torch.manual_seed(0)
texts = [torch.randint(1, WORDS, (n,)) for n in torch.randint(3, 9, (120,)).tolist()]
model = Model()
optimizer = torch.optim.SGD(model.parameters(), 0.1)
for epoch in range(2):
    loader = DataLoader(texts, 4, shuffle=True, collate_fn=collate, drop_last=True)
    for number, batch in enumerate(loader, start=1):
        scores = model(batch["ids"]).transpose(1, 2)
        surprise = nn.functional.cross_entropy(scores, batch["labels"], reduction="none").sum(1)
        loss = (surprise * batch["advantages"]).mean() / MICRO_BATCHES
        loss.backward()
        if number % MICRO_BATCHES == 0:
            optimizer.step()
            optimizer.zero_grad()
    print(epoch, loss.item())
