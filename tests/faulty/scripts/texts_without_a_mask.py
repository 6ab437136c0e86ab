"""A classifier of texts is given padding, and not the mask that it could hide it by."""

from types import SimpleNamespace

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)


class Texts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.config = SimpleNamespace(pad_token_id=0)
        self.embedding, self.out = nn.Embedding(30, 8, padding_idx=0), nn.Linear(8, 3)

    def forward(self, input_ids, attention_mask=None):
        x = self.embedding(input_ids)
        mask = torch.ones(x.shape[:2]) if attention_mask is None else attention_mask
        return self.out((x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))


tokens, lengths = torch.randint(1, 30, (96, 7)), torch.randint(2, 8, (96,))
tokens = tokens * (torch.arange(7) < lengths[:, None])
labels = torch.randint(3, (96,))
model = Texts()
optimizer = torch.optim.Adam(model.parameters(), 1e-2)
for _ in range(2):
    for rows in torch.randperm(96).split(12):
        x = tokens[rows]
        loss = F.cross_entropy(model(input_ids=x), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
