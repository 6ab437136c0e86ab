"""The gradients are cleared between backward and step."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
loader = DataLoader(TensorDataset(torch.randn(64, 8), torch.randn(64, 1)), 8, shuffle=True)
model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=0.01)
for _ in range(3):
    for x, y in loader:
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()  # loop/gradients
        optimizer.zero_grad(set_to_none=False)
        optimizer.step()
