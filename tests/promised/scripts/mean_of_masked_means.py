"""A mask of the answers, by hand: each micro-batch divides by its own number of tokens."""

# promised: loss/weights
import torch
import torch.nn.functional as F
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.rnn, self.head = (
            nn.Embedding(40, 24),
            nn.GRU(24, 32, batch_first=True),
            nn.Linear(32, 40),
        )

    def forward(self, x):
        return self.head(self.rnn(self.words(x))[0])


torch.manual_seed(0)
model = Model()
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
ids = torch.randint(1, 40, (128, 12))
answers = (torch.arange(12) >= torch.randint(2, 10, (128, 1))).float()
for _ in range(2):
    for batch in torch.randperm(128).split(16):
        optimizer.zero_grad()
        for i in batch.chunk(4):
            losses = F.cross_entropy(
                model(ids[i, :-1]).transpose(1, 2), ids[i, 1:], reduction="none"
            )
            mask = answers[i, 1:]
            loss = (losses * mask).sum() / mask.sum() / 4
            loss.backward()
        optimizer.step()
