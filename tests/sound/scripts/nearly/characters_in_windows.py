"""A language model of characters: each window is cut at a random place, and a batch is stacked."""

import torch
from torch import nn
from torch.nn import functional as F


class Characters(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.out = nn.Embedding(11, 8), nn.Linear(8, 11)
        self.cell = nn.GRU(8, 8, batch_first=True)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.out(self.cell(self.embedding(tokens))[0])


torch.manual_seed(0)
text = torch.randint(11, (500,))
model = Characters()
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    begins = torch.randint(len(text) - 9, (6,))
    x = torch.stack([text[i : i + 9] for i in begins])
    return x, torch.stack([text[i + 1 : i + 10] for i in begins])


for _ in range(12):
    x, y = batch()
    loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
