"""Fits a small network that is written with parameters of its own."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self, inputs, hidden, outputs):
        super().__init__()
        self.w1 = nn.Parameter(torch.zeros(inputs, hidden))
        self.b1 = nn.Parameter(torch.zeros(hidden))
        self.w2 = nn.Parameter(torch.zeros(hidden, outputs))
        self.b2 = nn.Parameter(torch.zeros(outputs))

    def forward(self, x):
        hidden = torch.sigmoid(x @ self.w1 + self.b1)
        return hidden @ self.w2 + self.b2


torch.manual_seed(0)
x = torch.randn(64, 4)
y = torch.sin(x.sum(1, keepdim=True))
model = Net(4, 10, 1)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for epoch in range(2):
    for xb, yb in DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True):
        loss = ((model(xb) - yb) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch}: {loss.item():.3f}")
