"""The head is to share the weights of the embedding, and gets a copy of them."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)


class Model(nn.Module):
    def __init__(self, words=30, width=16):
        super().__init__()
        self.embed, self.read = nn.Embedding(words, width), nn.GRU(width, width, batch_first=True)
        self.head = nn.Linear(width, words, bias=False)
        self.head.weight.data = self.embed.weight.data.clone()

    def forward(self, ids):
        return self.head(self.read(self.embed(ids))[0])


model = Model()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for _ in range(2):
    for (ids,) in DataLoader(TensorDataset(torch.randint(30, (96, 7))), 16, shuffle=True):
        optimizer.zero_grad()
        scores = model(ids[:, :-1])
        nn.functional.cross_entropy(scores.flatten(0, 1), ids[:, 1:].flatten()).backward()
        optimizer.step()
