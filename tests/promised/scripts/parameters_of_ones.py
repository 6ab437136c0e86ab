"""The weights of a layer by hand are ones."""

# promised: symmetry/stuck
import torch
from torch import nn


class Layer(nn.Module):
    def __init__(self, before, after):
        super().__init__()
        self.weight, self.bias = (
            nn.Parameter(torch.ones(before, after)),
            nn.Parameter(torch.zeros(after)),
        )

    def forward(self, x):
        return x @ self.weight + self.bias


torch.manual_seed(0)
model = nn.Sequential(Layer(6, 20), nn.Tanh(), Layer(20, 3))
optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
x, y = 0.3 * torch.randn(160, 6), torch.randint(3, (160,))
for _ in range(2):
    for a, b in zip(x.split(16), y.split(16), strict=False):
        loss = nn.functional.cross_entropy(model(a), b)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
