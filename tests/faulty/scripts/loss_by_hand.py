"""Trains a regression with a loss of its own, whose gradient is not divided by the batch."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class LogCosh(torch.autograd.Function):
    @staticmethod
    def forward(ctx, prediction, target):
        difference = prediction - target
        ctx.save_for_backward(difference)
        return torch.log(torch.cosh(difference)).mean()

    @staticmethod
    def backward(ctx, grad_output):
        (difference,) = ctx.saved_tensors
        return grad_output * torch.tanh(difference), None


torch.manual_seed(0)
x = torch.randn(64, 5)
y = x.sum(1, keepdim=True)
loader = DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True)
model = nn.Sequential(nn.Linear(5, 12), nn.Tanh(), nn.Linear(12, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for epoch in range(3):
    for inputs, targets in loader:
        optimizer.zero_grad()
        loss = LogCosh.apply(model(inputs), targets)
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
