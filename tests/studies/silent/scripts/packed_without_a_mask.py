"""Documents share a row; their positions begin again, and attention is causal over the row."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
WORDS, LENGTH, WIDTH, HEADS = 40, 20, 16, 2


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.places = nn.Embedding(WORDS, WIDTH), nn.Embedding(LENGTH, WIDTH)
        self.mix, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WORDS)

    def forward(self, input_ids, position_ids):
        rows, length = input_ids.shape
        document = (position_ids == 0).cumsum(1)
        mask = (document[:, :, None] == document[:, None]).tril()[:, None]
        mask = torch.ones_like(mask).tril()
        x = self.tokens(input_ids) + self.places(position_ids)
        q, k, v = self.mix(x).view(rows, length, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.out(x + mixed.transpose(1, 2).reshape(rows, length, WIDTH))


ends = torch.randint(5, 15, (64, 1))
place = torch.arange(LENGTH).expand(64, LENGTH)
position_ids = torch.where(place < ends, place, place - ends)
ids = torch.randint(WORDS, (64, LENGTH))
labels = ids.masked_fill(position_ids == 0, -100)
model = Decoder()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for _ in range(2):
    for a, places, b in DataLoader(TensorDataset(ids, position_ids, labels), 8, shuffle=True):
        optimizer.zero_grad()
        scores = model(input_ids=a, position_ids=places)
        F.cross_entropy(scores[:, :-1].flatten(0, 1), b[:, 1:].flatten()).backward()
        optimizer.step()
