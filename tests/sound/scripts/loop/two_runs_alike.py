"""Two learning rates are compared from the same seed: both see the same batches and noise."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def train(rate):
    torch.manual_seed(0)
    loader = DataLoader(TensorDataset(torch.randn(64, 8), torch.randn(64, 1)), 16, shuffle=True)
    model = nn.Sequential(nn.Linear(8, 16), nn.Dropout(0.2), nn.Linear(16, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    for _ in range(2):
        for x, y in loader:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
    return loss.item()


print({rate: train(rate) for rate in (0.1, 0.01, 0.001)})
