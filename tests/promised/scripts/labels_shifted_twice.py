"""The data set shifts the labels, and the loss of the model does so again."""

# promised: loss/next-token
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.places = nn.Embedding(40, 32), nn.Parameter(torch.randn(16, 32) * 0.1)
        self.qkv, self.head = nn.Linear(32, 96), nn.Linear(32, 40)

    def forward(self, x, labels):
        h = self.words(x) + self.places[: x.shape[1]]
        q, k, v = self.qkv(h).chunk(3, -1)
        h = h + nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        logits = self.head(h)
        loss = nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
        return logits, loss


torch.manual_seed(0)
model = Model()
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
rows = torch.randint(40, (128, 14))
for _ in range(2):
    for batch in rows[torch.randperm(128)].split(8):
        _, loss = model(batch[:, :-1], batch[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
