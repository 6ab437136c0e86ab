"""A language model of accumulated micro-batches: each text counts as much as any other."""

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
        self.drop = nn.Dropout(0.1)
        self.head = nn.Linear(16, WORDS)

    def forward(self, ids):
        return self.head(self.drop(self.read(self.embed(ids))[0]))


def collate(texts):
    ids = pad_sequence(texts, batch_first=True, padding_value=PAD)
    return {"ids": ids[:, :-1], "labels": ids[:, 1:].masked_fill(ids[:, 1:] == PAD, -100)}


torch.manual_seed(0)
texts = [torch.randint(1, WORDS, (n,)) for n in torch.randint(3, 9, (120,)).tolist()]
model = Model()
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
for epoch in range(2):
    loader = DataLoader(texts, 4, shuffle=True, collate_fn=collate, drop_last=True)
    for number, batch in enumerate(loader, start=1):
        scores = model(batch["ids"])
        each = nn.functional.cross_entropy(scores.mT, batch["labels"], reduction="none")
        loss = (each.sum(1) / (batch["labels"] != -100).sum(1)).mean()
        (loss / MICRO_BATCHES).backward()
        if number % MICRO_BATCHES == 0:
            optimizer.step()
            optimizer.zero_grad()
    print(epoch, loss.item())
