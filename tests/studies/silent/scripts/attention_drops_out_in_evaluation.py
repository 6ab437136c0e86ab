"""The rate of dropout is passed to the attention kernel in evaluation mode, too."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)


class Attention(nn.Module):
    def __init__(self, width=16, heads=2, rate=0.1):
        super().__init__()
        self.heads, self.rate = heads, rate
        self.mix, self.out = nn.Linear(width, 3 * width), nn.Linear(width, 3)

    def forward(self, x):
        rows, length, width = x.shape
        q, k, v = self.mix(x).view(rows, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, dropout_p=self.rate)
        return self.out(mixed.transpose(1, 2).reshape(rows, length, width).mean(1))


x, y = torch.randn(96, 6, 16), torch.randint(3, (96,))
train, valid = TensorDataset(x[:64], y[:64]), TensorDataset(x[64:], y[64:])
model = Attention()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for epoch in range(2):
    model.train()
    for a, b in DataLoader(train, 16, shuffle=True):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(a), b).backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        for a, b in DataLoader(valid, 16):
            print(epoch, nn.functional.cross_entropy(model(a), b).item())
