"""The mask of the keys is True at padding, of which each row has some; it shows the words."""

import torch
from torch import nn


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(20, 8, padding_idx=0)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.classes = nn.Linear(8, 3)

    def forward(self, texts):
        shown, x = texts != 0, self.words(texts)
        mixed, _ = self.attention(x, x, x, key_padding_mask=~shown)
        return self.classes(((x + mixed) * shown[..., None]).sum(1))


torch.manual_seed(0)
texts = torch.randint(1, 20, (48, 9))
for row, length in zip(texts, torch.randint(2, 8, (48,)), strict=True):
    row[length:] = 0
labels = torch.randint(3, (48,))
model = Reader()
optimizer = torch.optim.Adam(model.parameters())
for _ in range(3):
    for x, y in zip(texts.split(12), labels.split(12), strict=True):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
