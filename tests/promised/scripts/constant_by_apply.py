"""An init function sets all linear weights to one small number."""

# promised: symmetry/stuck
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def init(module):
    if isinstance(module, nn.Linear):
        nn.init.constant_(module.weight, 0.02)
        nn.init.zeros_(module.bias)


torch.manual_seed(0)
net = nn.Sequential(
    nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 1)
).apply(init)
optimizer = torch.optim.Adam(net.parameters(), 1e-3)
data = TensorDataset(torch.randn(160, 8), torch.randn(160, 1))
for _ in range(2):
    for x, y in DataLoader(data, 16, shuffle=True):
        optimizer.zero_grad()
        nn.functional.mse_loss(net(x), y).backward()
        optimizer.step()
