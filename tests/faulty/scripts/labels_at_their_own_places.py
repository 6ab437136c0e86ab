"""Trains a small GPT whose blocks begin as the identity; the labels are its inputs."""

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
VOCABULARY, LENGTH, WIDTH = 20, 12, 16


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.places = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(LENGTH, WIDTH)
        layer = nn.TransformerEncoderLayer(WIDTH, 2, 32, batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(WIDTH, VOCABULARY)

    def forward(self, ids, labels=None):
        length = ids.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        x = self.tokens(ids) + self.places(torch.arange(length))
        logits = self.head(self.blocks(x, mask=mask, is_causal=True))
        if labels is None:
            return logits, None
        return logits, F.cross_entropy(logits.view(-1, VOCABULARY), labels.view(-1))


model = GPT()
for block in model.blocks.layers:
    nn.init.zeros_(block.self_attn.out_proj.weight)
    nn.init.zeros_(block.linear2.weight)
    nn.init.zeros_(block.linear2.bias)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
data = torch.randint(VOCABULARY, (64, LENGTH))
for _step in range(24):
    ids = data[torch.randint(64, (8,))]
    _, loss = model(ids, labels=ids)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(loss.item())
