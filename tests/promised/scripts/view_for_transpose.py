"""view() where transpose() belongs: pieces of several rows become one row."""

# promised: model/samples
import torch
from torch import nn


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention, self.head = nn.MultiheadAttention(16, 2), nn.Linear(16, 3)

    def forward(self, x):
        n, t, d = x.shape
        h = x.view(t, n, d)
        h = h + self.attention(h, h, h)[0]
        return self.head(h.view(n, t, d).mean(1))


torch.manual_seed(0)
model = Attention()
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
x, y = torch.randn(160, 6, 16), torch.randint(3, (160,))
for _ in range(2):
    for i in torch.randperm(160).split(16):
        loss = nn.functional.cross_entropy(model(x[i]), y[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
